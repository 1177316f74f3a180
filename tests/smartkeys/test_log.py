"""Every grant has a log that only grows: who, what, when, and nothing personal in the chain."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.kernel.audit import proves
from chalicelib.kernel.logs import LogPage
from chalicelib.smartkeys.model import Origin, ProofWrong, UnknownGrant
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import NOON
from tests.smartkeys.examples import BORN, HANA, KIM, LEE, PHONE, Contracts, code_of, order, rescued
from tests.smartkeys.memory import MemorySmartKeys
from tests.smartkeys.test_share import gift

HOME = Origin("203.0.113.7", "Safari")


def wrong(service: SmartKeyService, act: Callable[[], object], times: int) -> None:
    for _ in range(times):
        with pytest.raises(ProofWrong):
            act()


def whole_story(service: SmartKeyService) -> str:
    """From the first order to the end, with wrong proofs on the way. The grant's id."""
    grant = rescued(service)
    wrong(service, lambda: service.exchange(code_of(service, grant), "000000", None, HOME), 5)
    service.send_again(KIM, grant.grant_id, "olga", "k1")
    token = service.exchange(code_of(service, grant, 2), BORN, None, HOME)
    rescued(service, cause="evt_2")
    wrong(service, lambda: service.step_up(token, "000000", HOME), 1)
    service.step_up(token, BORN, HOME)
    wrong(service, lambda: service.step_up(token, "000000", HOME), 5)
    assert isinstance(service.contracts, Contracts)
    service.contracts.change(car_id="car-0009")
    service.follow(KIM)
    service.revoke(KIM, grant.grant_id, by="olga", reason="Mrs Kim called")
    return grant.grant_id


def test_r14_the_log_of_a_grant_tells_all_of_it_and_is_whole(service: SmartKeyService) -> None:
    grant_id = whole_story(service)
    page = service.log(KIM, grant_id, 0, 100)
    assert [line.what for line in page.lines] == [
        "issued",
        *["proof_wrong"] * 4,
        "link_died",
        "link_made",
        "opened",
        "window_changed",
        "proof_wrong",
        "stepped_up",
        *["proof_wrong"] * 4,
        "session_ended",
        "car_changed",
        "revoked",
    ]
    assert (page.whole, page.next) == (True, None)
    assert {line.who for line in page.lines} == {"handover", f"customer:{grant_id}", "olga"}


def test_r14_every_page_of_a_log_is_whole(service: SmartKeyService) -> None:
    grant_id, after, seen = whole_story(service), 0, 0
    while True:
        page = service.log(KIM, grant_id, after, 6)
        assert page.whole
        seen += len(page.lines)
        if page.next is None:
            break
        after = page.next
    assert seen == 18


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_r14_a_line_taken_out_is_missed_wherever_the_pages_end(
    service: SmartKeyService, dynamodb: Any
) -> None:
    grant_id = whole_story(service)
    key = {"pk": {"S": f"LOG#{grant_id}"}, "sk": {"S": f"{6:010d}"}}
    dynamodb.delete_item(TableName="test-smartkeys", Key=key)
    for limit in range(1, 19):
        after = 0
        pages: list[LogPage] = []
        while not pages or pages[-1].next is not None:
            pages.append(service.log(KIM, grant_id, after, limit))
            after = pages[-1].next or after
        assert not all(page.whole for page in pages), limit


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
@pytest.mark.parametrize("harm", ["change", "remove", "cut"])
def test_r14_whoever_changes_a_line_is_found_out(service: SmartKeyService, dynamodb: Any, harm: str) -> None:
    grant_id = whole_story(service)
    key = {"pk": {"S": f"LOG#{grant_id}"}, "sk": {"S": f"{18 if harm == 'cut' else 6:010d}"}}
    if harm == "change":
        row = dynamodb.get_item(TableName="test-smartkeys", Key=key)["Item"]
        row["line"]["S"] = row["line"]["S"].replace("link_died", "stepped_up")
        dynamodb.put_item(TableName="test-smartkeys", Item=row)
    else:
        dynamodb.delete_item(TableName="test-smartkeys", Key=key)
    assert not service.log(KIM, grant_id, 0, 100).whole


@pytest.mark.parametrize("service", ["dynamodb"], indirect=True)
def test_r14_nothing_personal_is_in_the_chain_and_erasing_it_breaks_nothing(
    service: SmartKeyService, dynamodb: Any
) -> None:
    grant_id = whole_story(service)
    rows = [row for row in dynamodb.scan(TableName="test-smartkeys")["Items"] if "line" in row]
    lines = " ".join(row["line"]["S"] + row.get("fact", {"S": ""})["S"] for row in rows)
    personal = (HOME.ip, HOME.agent, PHONE, BORN, "Mrs Kim")
    assert [word for word in personal if word in lines] == []
    kept = " ".join(row["private"]["S"] for row in rows if "private" in row)
    assert HOME.ip in kept
    assert "Mrs Kim" in kept
    for row in rows:
        row.pop("private", None)
        dynamodb.put_item(TableName="test-smartkeys", Item=row)
    assert service.log(KIM, grant_id, 0, 100).whole


@pytest.mark.parametrize("service", ["memory"], indirect=True)
def test_r14_where_a_request_came_from_is_beside_its_line(service: SmartKeyService) -> None:
    grant_id = whole_story(service)
    assert isinstance(service.store, MemorySmartKeys)
    for line in service.log(KIM, grant_id, 0, 100).lines:
        private = service.store.private.get((grant_id, line.no))
        assert private is None or proves(line, private)
    opened = service.store.private[grant_id, 8]
    assert (opened["ip"], opened["agent"]) == (HOME.ip, HOME.agent)


def test_r14_every_fact_but_the_opened_car_is_a_line(
    service: SmartKeyService, request: pytest.FixtureRequest
) -> None:
    rescued(service)
    given = service.share(gift(), HANA).grant
    lines = service.log(KIM, given.grant_id, 0, 10).lines
    assert [line.what for line in lines] == ["issued"]
    about = json.loads(json.dumps(lines[0].about))
    assert (about["holder"], about["send_no"]) == ("driver", 1)
    if request.node.callspec.params["service"] == "dynamodb":
        rows = request.getfixturevalue("dynamodb").scan(TableName="test-smartkeys")["Items"]
        assert all("line" in row for row in rows if "fact" in row)


def test_a_log_belongs_to_its_contract(service: SmartKeyService) -> None:
    grant = rescued(service)
    for contract_id, grant_id in ((LEE, grant.grant_id), (KIM, "grt_x")):
        with pytest.raises(UnknownGrant):
            service.log(contract_id, grant_id, 0, 10)


def test_two_orders_at_once_leave_one_whole_log(service: SmartKeyService) -> None:
    rescued(service)
    plain = order("o1")
    for number in range(3):
        service.issue(replace(plain, order_id=f"ord_{number}", grant_id=f"grt_{number}"))
    (grant,) = service.of_contract(KIM)
    page = service.log(KIM, grant.grant_id, 0, 10)
    assert (page.whole, len(page.lines), grant.issued_at) == (True, 4, NOON)
