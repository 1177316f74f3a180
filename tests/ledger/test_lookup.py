"""Operations find every attempt and every refusal, by whatever they know."""

from datetime import datetime, timedelta

import pytest

from chalicelib.kernel.errors import Malformed
from chalicelib.ledger.model import Balance, Found, Refusal, Refusals
from chalicelib.ledger.service import LookService
from chalicelib.ledger.service.lookup import LOOKED_BACK
from tests.conftest import NOON
from tests.ledger.conftest import Office, told
from tests.ledger.world import CAMPAIGN

COUPON = Found(f"{CAMPAIGN}.code0", "USED", "kim", "chk_0")
REFUSED = Refusal(NOON, "COUPON_USED", "kim", "order-1", COUPON.coupon_id)


class Coupons:
    def by_code(self, code: str) -> Found | None:
        return COUPON if code == "GOOD" else None

    def by_id(self, coupon_id: str) -> Found | None:
        return COUPON if coupon_id == COUPON.coupon_id else None


class Points:
    def standing(self, customer_id: str) -> Balance:
        return Balance(700, 100, 0)


class Log:
    """Knows one refusal, by the coupon and by the customer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, timedelta]] = []

    def refusals(self, name: str, value: str, since: datetime, until: datetime) -> Refusals:
        self.asked.append((name, value, until - since))
        known = getattr(REFUSED, name) == value
        return Refusals((REFUSED,) if known else (), since, complete=True)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def desk(office: Office, log: Log) -> LookService:
    office.live(told(0), told(1, customer_id="lee"))
    return LookService(office.books, office.town, Coupons(), Points(), log, office.clock)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"code": "GOOD"}, "coupon_id"),
        ({"coupon_id": COUPON.coupon_id}, "coupon_id"),
        ({"customer_id": "kim"}, "customer_id"),
    ],
)
def test_what_was_tried_with_a_coupon_or_by_a_customer(
    desk: LookService, log: Log, asked: dict[str, str], name: str
) -> None:
    look = desk.look(asked)
    assert [each.checkout_id for each in look.attempts] == ["chk_0"]
    assert (look.coupons, look.refused.refusals) == ((COUPON,), (REFUSED,))
    assert look.points == Balance(700, 100, 0)
    assert log.asked == [(name, getattr(REFUSED, name), LOOKED_BACK)]


def test_an_order_s_name_may_be_several_customers(desk: LookService) -> None:
    look = desk.look({"order_id": "order-1"})
    assert {each.checkout_id for each in look.attempts} == {"chk_0", "chk_1"}
    assert look.points is None


def test_a_wrong_code_leads_nowhere_and_no_log_is_searched_for_it(desk: LookService, log: Log) -> None:
    look = desk.look({"code": "WRONG"})
    assert (look.coupons, look.attempts, look.refused.refusals, log.asked) == ((), (), (), [])


@pytest.mark.parametrize(
    "asked", [{}, {"name": "x"}, {"code": "A", "order_id": "B"}, {"order_id": "x" * 201}]
)
def test_exactly_one_thing_is_looked_up(desk: LookService, asked: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        desk.look(asked)
