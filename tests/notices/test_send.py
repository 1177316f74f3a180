from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import (
    KEEP_TRYING,
    LEASE,
    SmsRefused,
    SmsUnavailable,
    SmsUnsure,
    State,
    Template,
)
from chalicelib.notices.service import NoticeService
from tests.conftest import Hands
from tests.notices.conftest import PHONE, SITE, Links, Outbox, Parties

Facts = Callable[[], list[Fact]]
LINK = f"{SITE}/k#grt_kim-1ccccccccccccc"


def test_the_link_goes_to_the_holders_phone(service: NoticeService, outbox: Outbox, facts: Facts) -> None:
    service.send_link("grt_kim", 1)
    assert outbox.texts == [(PHONE, f"[핸드오버] 차 여는 링크, 24시간\n{LINK}")]
    (fact,) = facts()
    assert (fact.type, fact.source, fact.subject) == ("NoticeSent", "notices", fact.data["notice_id"])
    assert {k: v for k, v in fact.data.items() if k != "notice_id"} == {
        "contract_id": "con_kim",
        "grant_id": "grt_kim",
        "send_no": 1,
        "template": "smart_key_link",
    }


def test_it_speaks_the_holders_language(service: NoticeService, outbox: Outbox, parties: Parties) -> None:
    parties.language = "en"
    service.send_link("grt_kim", 1)
    assert outbox.texts == [(PHONE, f"[handover] Smart key\n{LINK}")]


def test_heard_twice_is_sent_once(service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands) -> None:
    for _ in range(3):
        service.send_link("grt_kim", 1)
        clock.move(hours=1)
    assert (len(outbox.texts), len(facts())) == (1, 1)


def test_every_number_is_a_notice_of_its_own(service: NoticeService, outbox: Outbox) -> None:
    for number in (1, 2):
        service.send_link("grt_kim", number)
    assert len({text for _, text in outbox.texts}) == 2


def test_of_many_at_once_one_sends(service: NoticeService, outbox: Outbox, facts: Facts) -> None:
    with ThreadPoolExecutor(12) as runs:
        list(runs.map(lambda _: service.send_link("grt_kim", 1), range(12)))
    assert (len(outbox.texts), len(facts())) == (1, 1)


def test_a_crash_after_sending_sends_the_same_link_again(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem, outbox.lost = TimeoutError(), True
    with pytest.raises(TimeoutError):
        service.send_link("grt_kim", 1)
    assert service.send_link("grt_kim", 1) is None
    assert service.sweep().claimed == 0
    clock.move(seconds=LEASE.total_seconds())
    assert service.sweep().claimed == 1
    assert [text for _, text in outbox.texts] == [outbox.texts[0][1]] * 2
    assert len(facts()) == 1


@pytest.mark.parametrize("problem", [SmsUnavailable("Throttled"), SmsUnsure("ReadTimeoutError")])
def test_what_did_not_go_out_is_tried_again_until_it_does(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands, problem: Exception
) -> None:
    outbox.problem = problem
    with pytest.raises(type(problem)):
        service.send_link("grt_kim", 1)
    assert facts() == []
    clock.move(minutes=1)
    outbox.problem = problem
    assert service.sweep().claimed == 1
    clock.move(minutes=1)
    assert service.sweep().claimed == 1
    clock.move(minutes=1)
    assert service.sweep().claimed == 0
    assert (len(outbox.texts), len(facts())) == (1, 1)


def test_of_two_sweeps_one_sends(service: NoticeService, outbox: Outbox, clock: Hands) -> None:
    outbox.problem = SmsUnavailable("Throttled")
    with pytest.raises(SmsUnavailable):
        service.send_link("grt_kim", 1)
    clock.move(minutes=1)
    with ThreadPoolExecutor(4) as runs:
        reports = list(runs.map(lambda _: service.sweep(), range(4)))
    assert (sum(report.claimed for report in reports), len(outbox.texts)) == (1, 1)


def test_a_refused_number_is_given_up_for_good_and_operations_hear_of_it(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem = SmsRefused("OptedOut")
    for _ in range(2):
        service.send_link("grt_kim", 1)
        clock.move(hours=1)
    (fact,) = facts()
    assert (outbox.texts, fact.type, fact.data["reason"]) == ([], "NoticeFailed", "SMS_REFUSED")


def test_a_text_that_was_held_up_for_too_long_is_no_news(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem = SmsUnavailable("Throttled")
    with pytest.raises(SmsUnavailable):
        service.tell(Template.KEY_QUESTION, "con_kim", "evt_7")
    clock.at += KEEP_TRYING
    service.sweep()
    (fact,) = facts()
    assert (outbox.texts, fact.type, fact.data["reason"]) == ([], "NoticeFailed", "TOO_LATE")


def test_a_link_that_is_over_is_not_sent(
    service: NoticeService, links: Links, outbox: Outbox, facts: Facts
) -> None:
    links.over = True
    assert service.send_link("grt_kim", 1) == State.FAILED
    links.over = False
    service.send_link("grt_kim", 1)
    assert (outbox.texts, facts()) == ([], [])


def test_a_run_that_slept_past_its_lease_changes_nothing(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    """The other run's record stands; both sent the same link."""
    send = outbox.send

    def sleep_and_send(phone: str, text: str) -> None:
        outbox.send = send  # type: ignore[method-assign]
        clock.move(seconds=LEASE.total_seconds())
        service.sweep()
        send(phone, text)

    outbox.send = sleep_and_send  # type: ignore[method-assign]
    service.send_link("grt_kim", 1)
    assert [text for _, text in outbox.texts] == [outbox.texts[0][1]] * 2
    assert len(facts()) == 1


def test_a_customer_is_asked_once_whether_the_key_came(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    for _ in range(3):
        service.tell(Template.KEY_QUESTION, "con_kim", "evt_7")
        clock.move(hours=1)
    assert outbox.texts == [(PHONE, f"[핸드오버] 열쇠 받으셨나요? 알려 주세요\n{SITE}/my")]
    (fact,) = facts()
    assert (fact.type, fact.data["contract_id"], fact.data["template"]) == (
        "CustomerTold",
        "con_kim",
        "key_question",
    )


def test_every_cause_is_told_and_nothing_is_told_without_one(service: NoticeService, outbox: Outbox) -> None:
    service.tell(Template.CHARGE_FAILED, "con_kim", "evt_7")
    service.tell(Template.CHARGE_FAILED, "con_kim", "evt_8")
    service.tell(None, "con_kim", "evt_9")
    assert len(outbox.texts) == 2


def test_a_contract_nobody_knows_is_given_up(service: NoticeService, outbox: Outbox, facts: Facts) -> None:
    service.tell(Template.CHARGE_FAILED, "con_lee", "evt_7")
    assert (outbox.texts, facts()) == ([], [])
