"""The ways to the cars: AWS IoT Core's data plane, by its broker or directly to a connection.

Requests and errors: docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html and
API_iotdata_SendDirectMessage.html. Each client comes with retries off: a repeated call could act twice.
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from chalicelib.doors.model import NotAccepted, NotConnected, PerhapsAccepted

AT_LEAST_ONCE = 1
CONFIRM_SECONDS = 5
"""How long a direct message waits for the car's word that it has it; our own client gives up after more."""


class IotPublisher:
    """Through the broker, which keeps the message for as long as the command lives."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        _once(
            self._client().publish,
            topic=f"cars/{car_id}/commands",
            qos=AT_LEAST_ONCE,
            messageExpiry=expires_in,
            contentType="application/json",
            payloadFormatIndicator="UTF8_DATA",
            payload=payload,
        )


class DirectMessenger:
    """To the car's own connection, never kept for one that is away: a 404 says so at once.

    That the car confirmed its receipt is not made use of: its own ack says so too.
    """

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        try:
            _once(
                self._client().send_direct_message,
                clientId=car_id,
                topic=f"cars/{car_id}/commands",
                confirmation=True,
                timeout=min(expires_in, CONFIRM_SECONDS),
                contentType="application/json",
                payloadFormatIndicator="UTF8_DATA",
                payload=payload,
            )
        except NotAccepted as problem:
            if _status(problem.__cause__) == 404:
                raise NotConnected() from problem
            raise


def _once(call: Callable[..., Any], **message: Any) -> None:
    """NotAccepted where the service certainly did not take it, PerhapsAccepted where it does not say."""
    try:
        call(**message)
    except (ConnectTimeoutError, EndpointConnectionError) as problem:
        raise NotAccepted() from problem
    except ClientError as problem:
        raise (NotAccepted() if _status(problem) < 500 else PerhapsAccepted()) from problem
    except BotoCoreError as problem:
        raise PerhapsAccepted() from problem


def _status(problem: BaseException | None) -> int:
    return (
        int(problem.response["ResponseMetadata"]["HTTPStatusCode"]) if isinstance(problem, ClientError) else 0
    )
