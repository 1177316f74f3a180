"""The registry of certificates at AWS IoT, where one that has ended is made worthless.

docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html: a certificate that is not active is
refused, and AWS IoT ends what connections it has within minutes; DeleteConnection ends them at once.
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

GONE = "ResourceNotFoundException"


class IotRegistry:
    """`control` and `data` give boto3 clients of iot and iot-data. Each step may be made again."""

    def __init__(self, control: Callable[[], Any], data: Callable[[], Any]) -> None:
        self._control = control
        self._data = data

    def end(self, certificate_id: str, car_id: str, *, revoked: bool) -> bool:
        """The status first: from then on it cannot connect. Without its thing its policy refuses it too."""
        iot = self._control()
        known = self._unless_gone(iot.describe_certificate, certificateId=certificate_id)
        if known is not None:
            status = "REVOKED" if revoked else "INACTIVE"
            iot.update_certificate(certificateId=certificate_id, newStatus=status)
            arn = known["certificateDescription"]["certificateArn"]
            self._unless_gone(iot.detach_thing_principal, thingName=car_id, principal=arn)
        return revoked and self._cut(car_id)

    def _cut(self, car_id: str) -> bool:
        """Its session goes too, with whatever waits in it. A refusal changes nothing of what is certain."""
        try:
            self._data().delete_connection(clientId=car_id, cleanSession=True, preventWillMessage=True)
        except ClientError:
            return False
        return True

    def _unless_gone(self, call: Callable[..., Any], **request: Any) -> Any:
        try:
            return call(**request)
        except ClientError as problem:
            if problem.response["Error"]["Code"] != GONE:
                raise
            return None
