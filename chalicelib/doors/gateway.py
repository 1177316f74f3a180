"""The way to the cars: AWS IoT Core's data plane.

Request and errors: docs.aws.amazon.com/iot/latest/apireference/API_iotdata_Publish.html
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from chalicelib.doors.model import NotAccepted, PerhapsAccepted

AT_LEAST_ONCE = 1


class IotPublisher:
    """`client` gives a boto3 iot-data client with retries off: a repeated publish could act twice."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def publish(self, car_id: str, payload: bytes, expires_in: int) -> None:
        try:
            self._client().publish(
                topic=f"cars/{car_id}/commands",
                qos=AT_LEAST_ONCE,
                messageExpiry=expires_in,
                contentType="application/json",
                payloadFormatIndicator="UTF8_DATA",
                payload=payload,
            )
        except (ConnectTimeoutError, EndpointConnectionError) as problem:
            raise NotAccepted() from problem
        except ClientError as problem:
            status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
            raise NotAccepted() if status < 500 else PerhapsAccepted() from problem
        except BotoCoreError as problem:
            raise PerhapsAccepted() from problem
