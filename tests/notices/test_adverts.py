"""Advertising goes only to who agreed, at night only to who agreed to that too, and says how to refuse."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import KST, stamp
from chalicelib.kernel.errors import Malformed
from chalicelib.notices.model import (
    ADVERTS,
    LMS_BYTES,
    SMS_BYTES,
    WORDS,
    BadSignature,
    Caps,
    Consents,
    ConsentsMoved,
    GiftName,
    NightAlone,
    State,
    Template,
    Unsendable,
    night_over,
    number_mark,
    sms_bytes,
    text_of,
    until_day,
    worth,
)
from chalicelib.notices.service import NoticeService
from tests.conftest import NOON, Hands
from tests.notices.conftest import OPERATORS_KEY, SITE, Gifts, LinkOver, Outbox

NIGHT = timedelta(hours=10)
"""After noon: ten in the evening."""


@pytest.fixture
def service(service: NoticeService) -> NoticeService:
    return replace(service, caps=Caps(parts=100, for_links=40))


def gift(number: int) -> GiftName:
    return GiftName("cmp_1", "spring", number)


def agree(service: NoticeService, *customers: int, night: bool = False) -> None:
    for customer in customers:
        service.agree(Caller(str(customer)), True, night)


def call(service: NoticeService, phone: str, at: datetime, key: str = OPERATORS_KEY) -> None:
    raw = json.dumps({"phone": phone, "at": stamp(at)}).encode()
    service.strike_off(raw, "sha256=" + hmac.new(key.encode(), raw, hashlib.sha256).hexdigest())


def test_a_gift_is_told_in_the_words_that_the_law_asks_for(
    service: NoticeService, gifts: Gifts, outbox: Outbox
) -> None:
    agree(service, 7)
    gifts.until = datetime(2026, 4, 1, tzinfo=KST)
    assert service.advertise(gift(7)) == State.SENT
    (text,) = outbox.texts
    assert text == (
        "+821000000007",
        f"(광고)[핸드오버] 5,000원 할인 쿠폰이 왔어요 (~3/31)\nAAAAA-AAAAA-00007\n{SITE}/my\n"
        "무료수신거부 080-000-0000",
    )
    assert service.texts_of("cmp_1", "spring") == {"SENT": 1}


def test_a_gift_is_told_once_however_often_it_is_heard(service: NoticeService, outbox: Outbox) -> None:
    agree(service, 1)
    assert [service.advertise(gift(1)) for _ in range(3)] == [State.SENT, None, None]
    assert (len(outbox.texts), service.texts_of("cmp_1", "spring")) == (1, {"SENT": 1})


def test_nobody_hears_of_it_who_has_not_agreed_and_operations_see_why(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    agree(service, 2, 3, 4, 404)
    service.agree(Caller("3"), False, False)
    call(service, "+821000000004", clock())
    for number in (1, 2, 3, 4, 404):
        service.advertise(gift(number))
    assert [phone for phone, _ in outbox.texts] == ["+821000000002"]
    assert service.texts_of("cmp_1", "spring") == {"SENT": 1, "NO_CONSENT": 2, "OPTED_OUT": 1, "NO_NUMBER": 1}
    assert service.texts_of("cmp_1", "summer") == {}


def test_a_coupon_that_is_over_or_a_missing_free_number_lets_nothing_out(
    service: NoticeService, gifts: Gifts, outbox: Outbox
) -> None:
    agree(service, 1, 2)
    replace(service, opt_out="").advertise(gift(1))
    for number, gifts.over in ((2, LinkOver()), (3, Unsendable())):
        assert service.advertise(gift(number)) == State.FAILED
    assert outbox.texts == []
    counts = {"NO_OPT_OUT_NUMBER": 1, "LINK_OVER": 1, "UNSENDABLE": 1}
    assert service.texts_of("cmp_1", "spring") == counts


def test_advertising_waits_for_the_morning_and_then_goes_out(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    agree(service, 1)
    agree(service, 2, night=True)
    clock.at = NOON + NIGHT
    assert [service.advertise(gift(number)) for number in (1, 2)] == [State.WAITING, State.SENT]
    (waiting,) = service.spending().waiting
    assert (waiting.reason, waiting.due_at) == ("NIGHT_REST", NOON + timedelta(hours=20))
    clock.at = NOON + timedelta(hours=20) - timedelta(seconds=1)
    assert service.sweep().claimed == 0
    clock.move(seconds=1)
    assert service.sweep().claimed == 1
    assert [phone[-1] for phone, _ in outbox.texts] == ["2", "1"]


def test_who_changes_their_mind_at_night_hears_nothing_in_the_morning(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    agree(service, 1)
    clock.at = NOON + NIGHT
    service.advertise(gift(1))
    service.agree(Caller("1"), False, False)
    clock.move(hours=10)
    service.sweep()
    assert (outbox.texts, service.texts_of("cmp_1", "spring")) == ([], {"NO_CONSENT": 1})


def test_what_is_no_advertising_goes_out_at_night_too(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    clock.at = NOON + NIGHT
    assert service.send_link("grt_kim", 1) == State.SENT


def test_a_consent_rests_after_two_years_until_it_is_given_again(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    agree(service, 1)
    given = service.consents(Caller("1")).marketing
    assert given
    assert given.confirm_by == datetime(2028, 3, 2, 3, tzinfo=UTC)
    clock.at = given.confirm_by
    service.advertise(gift(1))
    assert service.texts_of("cmp_1", "spring") == {"CONSENT_LAPSED": 1}
    agree(service, 1)
    again = service.consents(Caller("1")).marketing
    assert again
    assert (again.given_at, again.confirmed_at) == (given.given_at, clock())
    service.advertise(replace(gift(1), batch_id="later"))
    assert len(outbox.texts) == 1


def test_who_agrees_anew_after_the_call_is_written_to_again(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    agree(service, 1)
    clock.move(minutes=1)
    for ago in (0, 90):  # heard twice, and late: an older call takes nothing back
        call(service, "+821000000001", clock() - timedelta(seconds=ago))
    service.advertise(gift(1))
    clock.move(minutes=1)
    agree(service, 1)
    service.advertise(replace(gift(1), batch_id="later"))
    assert (len(outbox.texts), service.texts_of("cmp_1", "spring")) == (1, {"OPTED_OUT": 1})


def test_a_call_from_the_future_does_not_silence_for_ever(service: NoticeService, clock: Hands) -> None:
    call(service, "+821000000001", clock() + timedelta(days=9_000))
    mark = number_mark(service.number_key(), "+821000000001")
    assert service.store.struck_off(mark) == clock()


def test_a_call_that_the_operator_did_not_sign_changes_nothing(service: NoticeService, clock: Hands) -> None:
    with pytest.raises(BadSignature):
        call(service, "+821000000001", clock(), key="a guess")
    with pytest.raises(Malformed):
        call(service, "010-1234", clock())
    assert service.store.struck_off(number_mark(service.number_key(), "+821000000001")) is None


def test_nights_need_the_consent_to_advertising(service: NoticeService) -> None:
    with pytest.raises(NightAlone):
        service.agree(Caller("1"), False, True)
    agree(service, 1, night=True)
    assert service.agree(Caller("1"), True, False).night is None
    assert service.consents(Caller("2")) == Consents("2")


def test_a_consent_is_never_given_on_top_of_what_nobody_saw(service: NoticeService) -> None:
    seen = service.consents(Caller("1"))
    agree(service, 1)
    for before in (seen, service.consents(Caller("1"))):
        changed = before.said(False, False, NOON)
        if before is seen:
            with pytest.raises(ConsentsMoved):
                service.store.agree(before, changed)
        else:
            service.store.agree(before, changed)
    assert service.consents(Caller("1")).marketing is None
    for night in (False, True):
        agree(service, 1, night=night)
    stale = Consents("1", version=3)
    with pytest.raises(ConsentsMoved):
        service.store.agree(stale, stale.said(False, False, NOON))
    assert service.consents(Caller("1")).night is not None


def test_advertising_leaves_half_of_a_day_to_what_customers_must_know(
    service: NoticeService, outbox: Outbox, clock: Hands
) -> None:
    small = replace(service, caps=Caps(parts=20, for_links=8))
    agree(service, *range(9))
    states = [small.advertise(gift(number)) for number in range(9)]
    assert states == [State.SENT] * 3 + [State.WAITING] * 6
    assert small.spending().spent == 6
    assert small.tell(Template.KEY_QUESTION, "con_kim", "evt_1") == State.SENT
    assert {notice.reason for notice in small.spending().waiting} == {"DAILY_CAP"}


@given(some.integers(0, 10**8))
@settings(max_examples=50)
def test_no_moment_between_nine_and_eight_is_day(seconds: int) -> None:
    at = NOON + timedelta(seconds=seconds)
    hour, over = at.astimezone(KST).hour, night_over(at)
    if hour >= 21 or hour < 8:
        assert over is not None
    if over is None:
        return
    morning = over.astimezone(KST)
    assert (morning.hour, morning.minute, morning.second) == (8, 0, 0)
    assert timedelta() < over - at < timedelta(hours=11, minutes=11)
    assert night_over(over) is None


@pytest.mark.parametrize("template", sorted(ADVERTS))
@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_advert_begins_and_ends_as_the_law_says_and_is_no_longer_than_a_long_text(
    template: str, language: str
) -> None:
    words = {"code": "AAAAA-AAAAA-AAAAA", "link": "https://" + "s" * 60 + "/my", "opt_out": "080-0000-0000"}
    text = text_of(
        next(t for t in WORDS if t == template),
        language,
        worth=worth(10**12, None, language),
        until=until_day(NOON),
        points="10,000,000",
        day="12/31",
        **words,
    )
    assert text.startswith(("(광고)[핸드오버]", "(광고)[handover]"))
    assert text.endswith("무료수신거부 080-0000-0000")
    assert SMS_BYTES < sms_bytes(text) <= LMS_BYTES


def test_what_a_coupon_is_worth_is_said_in_letters_that_phones_have() -> None:
    assert (worth(5_000, None, "ko"), worth(None, 10, "ko")) == ("5,000원", "10%")
    assert (worth(5_000, None, "en"), worth(None, 10, "en")) == ("5,000 won", "10%")
    assert until_day(None) == ""
