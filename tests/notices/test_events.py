"""The sample files of this context's entry points, as bus and stream would hand them over."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from msgspec import convert

from chalicelib import wiring
from chalicelib.handlers.notices import (
    notices_advertise,
    notices_publish,
    notices_send,
    notices_sweep,
    notices_tell,
)
from chalicelib.handlers.smartkeys import smartkeys_issue
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import stamp
from chalicelib.kernel.entry import LOG
from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import Notice, SmsRefused, State, Template
from chalicelib.notices.schemas import (
    CouponGiven,
    CustomerTold,
    NoticeFailed,
    NoticeSent,
    PointsExpiring,
    SmartKeyLinkIssued,
    SmsCapReached,
)
from chalicelib.notices.service import NoticeService
from chalicelib.points.model import expiry
from tests.conftest import NOON, ROOT
from tests.contracts.examples import assigned_by_samples
from tests.coupons.examples import OLGA, SECRET, campaign_of
from tests.notices.conftest import Outbox, texts_sent
from tests.smartkeys.examples import KEY

EVENTS = ROOT / "events"


def read(path: str) -> Any:
    return json.loads((EVENTS / path).read_text())


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def stranded(api: Any) -> str:
    """The contract of the contracts' samples, stranded; its grant."""
    boto3.client("secretsmanager").create_secret(Name="test/handover/link-key", SecretString=KEY)
    assigned_by_samples()
    event = read("bus/smartkeys_issue.json")
    smartkeys_issue(event, SimpleNamespace())
    (grant,) = wiring.smartkeys().of_contract(event["detail"]["data"]["contract_id"])
    return grant.grant_id


def test_a_link_that_the_bus_brings_becomes_one_text_and_leaves_no_trace(
    stranded: str, dynamodb: Any, caplog: pytest.LogCaptureFixture
) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LOG.registered_formatter)
    logging.getLogger("handover").addHandler(handler)
    caplog.set_level(logging.INFO)
    event = read("bus/notices_send.json")
    event["detail"]["data"]["grant_id"] = stranded
    for _ in range(2):
        notices_send(event, SimpleNamespace())
    logging.getLogger("handover").removeHandler(handler)

    code = wiring.smartkeys().link(stranded, 1).code
    assert texts_sent() == [("+821012345678", f"[핸드오버] 차 여는 링크, 24시간\n/k#{code}")]
    kept = [dynamodb.scan(TableName=f"test-{name}")["Items"] for name in ("notices", "smartkeys")]
    for secret in (code, "1012345678", "차 여는"):
        assert secret not in written.getvalue() + caplog.text + json.dumps(kept, ensure_ascii=False)


def test_a_key_that_nobody_confirms_is_asked_after(stranded: str) -> None:
    (contract_id,) = {grant.contract_id for grant in [wiring.smartkeys().store.grant(stranded)] if grant}
    event = read("bus/notices_tell.json")
    event["detail"]["data"]["contract_id"] = contract_id
    for _ in range(2):
        notices_tell(event, SimpleNamespace())
    assert texts_sent() == [("+821012345678", "[핸드오버] 열쇠 받으셨나요? 알려 주세요\n/my")]


def test_a_gift_that_the_bus_brings_becomes_one_text_and_leaves_no_code_behind(
    stranded: str, dynamodb: Any
) -> None:
    boto3.client("secretsmanager").create_secret(Name="test/handover/code-key", SecretString=SECRET)
    (contract_id,) = {grant.contract_id for grant in [wiring.smartkeys().store.grant(stranded)] if grant}
    customer = Caller(wiring.contracts().copy(contract_id).customer_id)
    campaign_id = campaign_of(wiring.coupons()).campaign_id
    wiring.coupons().request_targets(campaign_id, "spring-1", [customer.id], True, by=OLGA, key="k")
    wiring.coupons().issue(campaign_id, "spring-1")
    service = wiring.notices()
    service.agree(customer, marketing=True, night=False)
    event = read("bus/notices_advertise.json")
    event["detail"]["data"]["campaign_id"] = campaign_id
    gift = convert(event["detail"]["data"], CouponGiven).gift
    assert [service.advertise(gift) for _ in range(2)] == [State.SENT, None]

    code = wiring.coupons().gift(campaign_id, "spring-1", 0).code
    ((number, text),) = texts_sent()
    assert number == "+821012345678"
    assert code in text
    kept = [dynamodb.scan(TableName=f"test-{name}")["Items"] for name in ("notices", "coupons")]
    assert code not in json.dumps(kept, ensure_ascii=False)
    told = wiring.coupons().told(wiring.coupons().batch(campaign_id, "spring-1"))
    assert (told.sent, told.waiting, told.refused) == (1, 0, {})


@pytest.mark.usefixtures("api")
def test_a_gift_that_nobody_gave_is_given_up() -> None:
    assert notices_advertise(read("bus/notices_advertise.json"), SimpleNamespace()) == "FAILED"
    assert texts_sent() == []


def test_we_understand_what_coupons_publish() -> None:
    assert read("bus/notices_advertise.json")["detail"]["data"] == read("facts/CouponGiven.json")["data"]
    heard = convert(read("facts/CouponGiven.json")["data"], CouponGiven)
    assert (heard.gift.batch_id, heard.gift.number) == ("spring-1", 0)


def test_points_that_expire_soon_become_one_text(stranded: str) -> None:
    (contract_id,) = {grant.contract_id for grant in [wiring.smartkeys().store.grant(stranded)] if grant}
    customer_id = wiring.contracts().copy(contract_id).customer_id
    wiring.point_awards().captured("chk_1", customer_id, 50_000)
    (lot,) = dict(wiring.points().wallet(customer_id).lots)
    event = read("bus/notices_advertise-points.json")
    event["detail"]["data"] = {"customer_id": customer_id, "points": 1, "expires_at": stamp(expiry(lot))}
    assert [notices_advertise(event, SimpleNamespace()) for _ in range(2)] == ["SENT", None]
    assert texts_sent() == [("+821012345678", "[핸드오버] 500P가 3/31 이후 사라져요\n/my")]


def test_we_understand_what_points_publish() -> None:
    event = read("bus/notices_advertise-points.json")
    assert event["detail"] == read("facts/PointsExpiring.json")
    assert convert(event["detail"]["data"], PointsExpiring).expiring.customer_id == "kim"


@pytest.mark.usefixtures("api")
def test_a_link_of_an_unknown_grant_is_given_up() -> None:
    notices_send(read("bus/notices_send.json"), SimpleNamespace())
    assert texts_sent() == []


def test_we_understand_what_others_publish() -> None:
    heard = convert(read("facts/SmartKeyLinkIssued.json")["data"], SmartKeyLinkIssued)
    assert heard.send_no == 1


def test_we_publish_exactly_the_sample_fact(service: NoticeService, facts: Callable[[], list[Fact]]) -> None:
    sample = read("facts/NoticeSent.json")
    service.send_link(sample["data"]["grant_id"], 1)
    assert [fact.envelope() for fact in facts()] == [sample]
    assert set(sample["data"]) == set(NoticeSent.__struct_fields__)
    assert convert(sample["data"], NoticeSent, strict=True)


def test_we_publish_exactly_the_sample_of_a_customer_told(
    service: NoticeService, facts: Callable[[], list[Fact]]
) -> None:
    sample = read("facts/CustomerTold.json")
    service.tell(Template.KEY_QUESTION, "con_kim", "evt_7")
    assert [fact.envelope() for fact in facts()] == [sample]
    assert convert(sample["data"], CustomerTold, strict=True)


def test_we_publish_exactly_the_sample_of_a_text_that_failed(
    service: NoticeService, outbox: Outbox, facts: Callable[[], list[Fact]]
) -> None:
    sample = read("facts/NoticeFailed.json")
    outbox.problem = SmsRefused("OptedOut")
    service.send_link(sample["data"]["grant_id"], 1)
    assert [fact.envelope() for fact in facts()] == [sample]
    assert convert(sample["data"], NoticeFailed, strict=True)


def test_we_publish_exactly_the_sample_of_a_cap_that_was_reached(
    service: NoticeService, facts: Callable[[], list[Fact]]
) -> None:
    sample = read("facts/SmsCapReached.json")
    for number in range(7):
        service.tell(Template.KEY_QUESTION, f"con_{number}", f"evt_{number}")
    assert [fact.envelope() for fact in facts() if fact.type == "SmsCapReached"] == [sample]
    assert convert(sample["data"], SmsCapReached)


def test_a_text_that_was_left_behind_goes_out_with_the_sweep(stranded: str, dynamodb: Any) -> None:
    wiring.notices().store.begin(
        Notice.new("ntc_1", Template.SMART_KEY_LINK, NOON, grant_id=stranded, send_no=1)
    )
    sample = read("schedule/notices_sweep.json")
    assert notices_sweep(sample, SimpleNamespace()) == {"found": 0, "claimed": 0}
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert notices_sweep(sample, SimpleNamespace()) == {"found": 1, "claimed": 1}
        assert notices_sweep(sample, SimpleNamespace()) == {"found": 0, "claimed": 0}
    assert len(texts_sent()) == 1


def test_the_stream_carries_every_inserted_fact_to_the_bus(dynamodb: Any) -> None:
    boto3.client("events").create_event_bus(Name="test-facts")
    sample = read("stream/notices_publish.json")
    assert notices_publish(sample, SimpleNamespace()) == 1
    images = [record["dynamodb"]["NewImage"] for record in sample["Records"]]
    carried = [json.loads(image["fact"]["S"]) for image in images if "fact" in image]
    assert carried == [read("facts/NoticeSent.json")]
