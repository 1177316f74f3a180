from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from chalicelib.contracts.model import (
    PLANS,
    DriverTooYoung,
    HandoverOutOfReach,
    TermNotOffered,
    UnknownHolder,
    UnknownPlan,
    label_hash,
    licence,
    masked,
    phone_number,
    signed,
)
from tests.conftest import NOON
from tests.contracts.examples import ADDRESS, FIRST_CAR, IN_TWO_WEEKS, KIM_MINJI, PARK_JUN


def test_the_fee_comes_from_the_plan() -> None:
    contract = signed("con_1", "kim", FIRST_CAR, at=NOON)
    assert (contract.monthly_fee, contract.months, contract.state) == (460_000, 6, "applied")


def test_longer_terms_are_never_dearer() -> None:
    for plan in PLANS:
        fees = [fee for _, fee in sorted(plan.terms)]
        assert fees == sorted(fees, reverse=True)
    assert len({plan.plan_id for plan in PLANS}) == len(PLANS)


def test_what_is_not_on_the_price_list_is_not_sold() -> None:
    with pytest.raises(UnknownPlan):
        signed("con_1", "kim", replace(FIRST_CAR, plan_id="yacht"), at=NOON)
    with pytest.raises(TermNotOffered, match="3, 6, 12"):
        signed("con_1", "kim", replace(FIRST_CAR, months=7), at=NOON)


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_the_handover_lies_ahead_and_within_a_year(days: int) -> None:
    late = replace(FIRST_CAR, handover=replace(FIRST_CAR.handover, at=NOON + timedelta(days=days)))
    with pytest.raises(HandoverOutOfReach):
        signed("con_1", "kim", late, at=NOON)


def test_a_driver_is_of_age_on_the_day_of_the_handover_and_not_a_day_later() -> None:
    day = IN_TWO_WEEKS.date()
    eighteen = replace(KIM_MINJI, birth_date=day.replace(year=day.year - 18))
    signed("con_1", "kim", replace(FIRST_CAR, drivers=(eighteen,)), at=NOON)
    younger = replace(eighteen, birth_date=eighteen.birth_date + timedelta(days=1))
    with pytest.raises(DriverTooYoung):
        signed("con_1", "kim", replace(FIRST_CAR, drivers=(KIM_MINJI, younger)), at=NOON)


def test_a_leap_day_child_has_birthdays_too() -> None:
    assert PARK_JUN.age_on(date(2010, 2, 28)) == 17
    assert PARK_JUN.age_on(date(2010, 3, 1)) == 18


@pytest.mark.parametrize(
    "text",
    [
        "01012345678",
        "010-1234-5678",
        "010 1234 5678",
        "+82 10-1234-5678",
        "+821012345678",
        "\uff10\uff11\uff10-1234-5678",
    ],
)
def test_one_korean_mobile_in_every_spelling(text: str) -> None:
    assert phone_number(text) == "+821012345678"


def test_a_foreign_number_is_kept_as_it_is() -> None:
    assert phone_number("+1 (415) 555-2671") == "+14155552671"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0101234567",
        "010123456789",
        "0212345678",
        "15881588",
        "+82212345678",
        "+8201012345678",
        "+0123456789",
        "+12",
        "+1234567890123456",
        "4155552671",
        "010-1234-567a",
        "01012345678\x00",
    ],
)
def test_what_no_link_can_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mobile"):
        phone_number(text)


@pytest.mark.parametrize("text", ["11-12-345678-01", "111234567801", "서울-12-345678-01", "d1234567"])
def test_licences_of_many_offices(text: str) -> None:
    assert licence(text) == text.replace("-", "").upper()


@pytest.mark.parametrize("text", ["", "123", "ABCDEFGH", "11;12;345678", "1" * 21])
def test_a_licence_needs_something_to_prove_oneself_by(text: str) -> None:
    with pytest.raises(ValueError, match="licence"):
        licence(text)


def test_a_shown_licence_keeps_its_proof_to_itself() -> None:
    assert masked("111234567801") == "11**********"


@pytest.mark.parametrize("proof", ["19900115", "900115", "1990-01-15", "90.01.15", "1990 / 01 / 15", "7801"])
def test_a_holder_proves_it_by_birth_date_or_licence(proof: str) -> None:
    assert KIM_MINJI.proven_by(proof)


@pytest.mark.parametrize(
    "proof", ["", "-", "0115", "1990", "801", "111234567801", "920229", "9900115", "×7801"]
)
def test_nothing_less_proves_it(proof: str) -> None:
    assert not KIM_MINJI.proven_by(proof)


def test_holders_are_the_customer_and_the_numbered_drivers() -> None:
    contract = signed("con_1", "kim", FIRST_CAR, at=NOON)
    assert contract.driver("customer").driver == contract.driver("1").driver == KIM_MINJI
    assert contract.driver("2").driver == PARK_JUN
    for nobody in ("0", "3", "02", "", "lee", "２"):
        with pytest.raises(UnknownHolder):
            contract.driver(nobody)


def test_two_prints_of_one_label_agree() -> None:
    assert label_hash(ADDRESS) == label_hash(f"  {ADDRESS.replace(' ', '   ')}\n")
    assert label_hash("Seoul, A-DONG 1") == label_hash("seoul, a-dong 1")
    assert label_hash(ADDRESS) != label_hash(ADDRESS + "1")
    assert len(label_hash(ADDRESS)) == 64
