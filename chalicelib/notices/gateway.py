"""Texts through Amazon SNS, the first adapter of the port `Sms`."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.notices.model import SmsRefused, SmsUnavailable, SmsUnsure

FINAL_CODES = {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "OptedOut"}
TRANSACTIONAL = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}


class SnsSms:
    """`client` should try once: a second attempt of the SDK could send twice."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def send(self, phone: str, text: str) -> None:
        """SNS repeats the number in its errors, so only their code goes further."""
        try:
            self._client().publish(PhoneNumber=phone, Message=text, MessageAttributes=TRANSACTIONAL)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise (SmsRefused if code in FINAL_CODES else SmsUnavailable)(code) from None
        except BotoCoreError as error:
            raise SmsUnsure(type(error).__name__) from None
