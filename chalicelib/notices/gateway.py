"""Texts through Amazon SNS, the first adapter of the port `Sms`; and the calls to the free number."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Meta, Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.notices.model import BadSignature, SmsRefused, SmsUnavailable, SmsUnsure

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


class Call(Struct, frozen=True):
    """A call to the free number. `phone` in E.164."""

    phone: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$(?!\n)")]
    at: Annotated[datetime, Meta(tz=True)]


class SignedCalls:
    """`secret`: the one shared with the operator."""

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def call(self, raw: bytes, signature: str) -> Call:
        right = "sha256=" + hmac.new(self._secret().encode(), raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), signature.strip().encode()):
            raise BadSignature()
        try:
            return msgspec.json.decode(raw, type=Call)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise Malformed("this is no call to the free number") from problem
