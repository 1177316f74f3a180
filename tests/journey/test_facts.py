"""No published fact is forgotten, and none says more to a customer than it should."""

import json
from typing import Any

import pytest

from chalicelib.journey.model import OPS_ONLY, VISIBLE, Event
from chalicelib.kernel.facts import fact_of
from tests.conftest import ROOT

SAMPLES = sorted((ROOT / "events" / "facts").glob("*.json"))
NEVER = {
    "car_id",
    "former_car_id",
    "key_tag",
    "customer_id",
    "grant_id",
    "checkout_id",
    "charge_id",
    "reason",
}


def read(path: Any) -> Any:
    return json.loads(path.read_text())


def about_contracts() -> list[Any]:
    return [path for path in SAMPLES if "contract_id" in read(path)["data"]]


@pytest.mark.parametrize("path", about_contracts(), ids=lambda path: path.stem)
def test_every_fact_about_a_contract_has_been_thought_about(path: Any) -> None:
    """It needs a line in VISIBLE, with what the customer may see, or a place in OPS_ONLY."""
    assert (path.stem in VISIBLE) + (path.stem in OPS_ONLY) == 1


@pytest.mark.parametrize("path", about_contracts(), ids=lambda path: path.stem)
def test_what_the_customer_sees_is_what_the_fact_really_says(path: Any) -> None:
    fact = fact_of({"detail": read(path)})
    assert set(VISIBLE.get(fact.type, ())) <= set(fact.data)
    shown = Event(fact.id, "con_kim", fact.type, fact.at, fact.data).for_customer()
    ids = {str(value) for name, value in fact.data.items() if name.endswith("_id") and name != "plan_id"}
    assert shown is None or not {str(value) for value in shown.data.values()} & ids


def test_nothing_internal_is_ever_shown() -> None:
    assert not [name for name, fields in VISIBLE.items() if NEVER & set(fields)]


def test_a_fact_about_no_contract_is_on_no_timeline() -> None:
    others = {path.stem for path in SAMPLES} - {path.stem for path in about_contracts()}
    assert not others & (VISIBLE.keys() | OPS_ONLY)
