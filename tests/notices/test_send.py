from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chalicelib.kernel.facts import Fact
from chalicelib.notices.model import LEASE, BeingSent, SmsRefused, SmsUnavailable, Template
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
    def hear(_: int) -> None:
        with suppress(BeingSent):
            service.send_link("grt_kim", 1)

    with ThreadPoolExecutor(12) as runs:
        list(runs.map(hear, range(12)))
    assert (len(outbox.texts), len(facts())) == (1, 1)


def test_a_crash_after_sending_sends_the_same_link_again(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem, outbox.lost = TimeoutError(), True
    with pytest.raises(TimeoutError):
        service.send_link("grt_kim", 1)
    with pytest.raises(BeingSent):
        service.send_link("grt_kim", 1)
    clock.move(seconds=LEASE.total_seconds())
    service.send_link("grt_kim", 1)
    assert [text for _, text in outbox.texts] == [outbox.texts[0][1]] * 2
    assert len(facts()) == 1


def test_what_did_not_go_out_is_tried_again(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem = SmsUnavailable("Throttled")
    with pytest.raises(SmsUnavailable):
        service.send_link("grt_kim", 1)
    assert facts() == []
    clock.move(minutes=1)
    service.send_link("grt_kim", 1)
    assert (len(outbox.texts), len(facts())) == (1, 1)


def test_a_refused_number_is_given_up_for_good(
    service: NoticeService, outbox: Outbox, facts: Facts, clock: Hands
) -> None:
    outbox.problem = SmsRefused("OptedOut")
    for _ in range(2):
        service.send_link("grt_kim", 1)
        clock.move(hours=1)
    assert (outbox.texts, facts()) == ([], [])


def test_a_link_that_is_over_is_not_sent(
    service: NoticeService, links: Links, outbox: Outbox, facts: Facts
) -> None:
    links.over = True
    service.send_link("grt_kim", 1)
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
        service.send_link("grt_kim", 1)
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
