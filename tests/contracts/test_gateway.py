"""The offices over HTTP: what they are asked, what they are not told, and what silence means."""

from collections.abc import Iterator

import pytest

from chalicelib.contracts.gateway import Offices
from chalicelib.contracts.model import OfficeAway, Verdict
from tests.conftest import NOON
from tests.contracts.examples import KIM_MINJI, PARK_JUN
from tests.offices import OFFICES, opened


@pytest.fixture
def offices() -> Iterator[Offices]:
    OFFICES.reset()
    yield Offices(opened())
    OFFICES.reset()


def test_whoever_may_drive_may(offices: Offices) -> None:
    assert offices.check(KIM_MINJI, NOON) == Verdict(True)


def test_a_refusal_is_one_word_of_ours(offices: Offices) -> None:
    OFFICES.refused[KIM_MINJI.licence_no] = "suspended"
    OFFICES.refused[PARK_JUN.licence_no] = "Park Jun drove through Jongno"
    assert offices.check(KIM_MINJI, NOON) == Verdict(False, "suspended")
    assert offices.check(PARK_JUN, NOON) == Verdict(False, "refused")


def test_no_address_names_anybody(offices: Offices) -> None:
    offices.check(KIM_MINJI, NOON)
    assert OFFICES.seen == ["POST /licences HTTP/1.1"]


def test_an_open_recall_has_a_name(offices: Offices) -> None:
    OFFICES.recalled["car-0001"] = "brakes"
    assert offices.open_recall("car-0001") == "brakes"
    assert offices.open_recall("car-0002") is None


def test_an_office_that_is_closed_or_not_there_is_away(offices: Offices) -> None:
    OFFICES.away = True
    with pytest.raises(OfficeAway):
        offices.check(KIM_MINJI, NOON)
    for nowhere in ("", "http://127.0.0.1:1"):
        with pytest.raises(OfficeAway) as silence:
            Offices(nowhere).check(KIM_MINJI, NOON)
        assert KIM_MINJI.licence_no not in str(silence.value)
