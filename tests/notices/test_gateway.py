from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.kernel import aws
from chalicelib.notices.gateway import SnsSms
from chalicelib.notices.model import SmsRefused, SmsUnavailable
from tests.notices.conftest import PHONE, texts_sent


class Failing:
    """An SNS that answers as the real one does, with the number in its words."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.asked: dict[str, Any] = {}

    def publish(self, **asked: Any) -> None:
        self.asked = asked
        raise ClientError({"Error": {"Code": self.code, "Message": f"{PHONE} is not valid"}}, "Publish")


@pytest.mark.usefixtures("dynamodb")
def test_sns_gets_number_and_text_once() -> None:
    SnsSms(lambda: aws.client("sns", attempts=1)).send(PHONE, "차 열기")
    assert texts_sent() == [(PHONE, "차 열기")]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("InvalidParameter", SmsRefused),
        ("OptedOut", SmsRefused),
        ("Throttled", SmsUnavailable),
        ("InternalError", SmsUnavailable),
        ("AuthorizationError", SmsUnavailable),
    ],
)
def test_a_failure_keeps_the_number_to_itself(code: str, problem: type[Exception]) -> None:
    sns = Failing(code)
    with pytest.raises(problem) as refused:
        SnsSms(lambda: sns).send(PHONE, "차 열기")
    assert str(refused.value) == code
    assert refused.value.__suppress_context__
    assert sns.asked["MessageAttributes"]["AWS.SNS.SMS.SMSType"]["StringValue"] == "Transactional"
