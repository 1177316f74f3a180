"""Car parks over HTTP: for everybody, and with every number checked."""

import json
from types import SimpleNamespace

import pytest

from tests.api import Api, is_problem
from tests.conftest import ROOT

HERE = "/v1/parking?lat=37.5663&lon=126.9779"


@pytest.mark.usefixtures("imported")
def test_everybody_finds_what_is_near(api: Api) -> None:
    answer = api.get(HERE)
    places = answer.json_body["places"]
    assert answer.status_code == 200
    assert places
    assert all(place["metres"] <= 1000 for place in places)
    assert set(places[0]) == {
        "place_id",
        "name",
        "address",
        "lat",
        "lon",
        "metres",
        "spaces",
        "free_of_charge",
        "fee",
        "stay_amount",
        "hours",
        "phone",
    }
    assert set(places[0]["fee"]) == {
        "basic_minutes",
        "basic_amount",
        "step_minutes",
        "step_amount",
        "day_amount",
    }
    assert set(places[0]["hours"]) == {"weekday", "saturday", "holiday"}


@pytest.mark.usefixtures("imported")
def test_a_longer_way_and_a_longer_stay_may_be_asked_for(api: Api) -> None:
    near, far = (api.get(f"{HERE}&radius={metres}").json_body["places"] for metres in (500, 2000))
    assert len(near) < len(far)
    assert far[: len(near)] == near
    day = api.get(f"{HERE}&radius=2000&minutes=1440").json_body["places"]
    pairs = [(a["stay_amount"], b["stay_amount"]) for a, b in zip(far, day, strict=True)]
    assert any(hour is not None and hour < whole for hour, whole in pairs if whole is not None)


def test_where_there_is_nothing_the_list_is_empty(api: Api) -> None:
    for where in ("lat=38.9&lon=131.5", "lat=-90&lon=180", "lat=48.85&lon=2.35"):
        assert api.get(f"/v1/parking?{where}").json_body == {"places": []}


WRONG_NUMBERS = [
    ("", ["lat", "lon"]),
    ("lat=37.5", ["lon"]),
    ("lat=nan&lon=127", ["lat"]),
    ("lat=37.5&lon=inf", ["lon"]),
    ("lat=90.1&lon=180.1", ["lat", "lon"]),
    ("lat=-91&lon=127", ["lat"]),
    ("lat=37.5&lon=1e2", ["lon"]),
    ("lat=%EF%BC%93%EF%BC%97&lon=127", ["lat"]),
    ("lat=37.5%0A&lon=127", ["lat"]),
    ("lat=&lon=", ["lat", "lon"]),
    ("lat=37.5&lon=127&radius=0", ["radius"]),
    ("lat=37.5&lon=127&radius=2001", ["radius"]),
    ("lat=37.5&lon=127&radius=-5", ["radius"]),
    ("lat=37.5&lon=127&radius=99999999999999999999", ["radius"]),
    ("lat=37.5&lon=127&radius=1.5", ["radius"]),
    ("lat=37.5&lon=127&minutes=0", ["minutes"]),
    ("lat=37.5&lon=127&minutes=10081", ["minutes"]),
    ("lat=37.5&lon=127&minutes=", ["minutes"]),
]


def test_a_number_that_is_none_is_a_400_that_says_which(api: Api) -> None:
    for query, wrong in WRONG_NUMBERS:
        answer = api.get(f"/v1/parking?{query}")
        assert is_problem(answer, 400, "MALFORMED")
        assert [error["pointer"] for error in answer.json_body["errors"]] == wrong, query


@pytest.mark.usefixtures("api", "imported")
def test_the_sample_request_finds_something() -> None:
    from app import app

    event = json.loads((ROOT / "events" / "http" / "parking-1-near.json").read_text())
    answer = app(event, SimpleNamespace())
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["places"]
