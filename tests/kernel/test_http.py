"""The web floor, on a small application of its own."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from chalice.test import Client

from chalicelib.kernel import errors
from chalicelib.kernel.auth import Group
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.http import (
    DECLARED,
    PUBLIC,
    SIGNED_IN,
    STATUS,
    Answer,
    App,
    Call,
    Routes,
    limit_of,
    refuse_methods,
)
from tests.api import bearer, is_problem


class Order(msgspec.Struct, frozen=True):
    won: int
    items: list[str] = []


class Shown(msgspec.Struct):
    won: int
    by: str


class ShopClosed(errors.Refused):
    """The shop is closed."""


@pytest.fixture
def http() -> Iterator[Any]:
    routes, before = Routes("shop"), len(DECLARED)
    app = App("shop", {}, lambda room: routes)

    @routes.post("/orders/{order_id}", status=201, who=SIGNED_IN, keyed=True)
    def place(order_id: str, order: Order, call: Call) -> Shown:
        if order.won == 13:
            raise ShopClosed("until tomorrow")
        if order.won == 0:
            raise ZeroDivisionError
        return Shown(order.won, f"{call.caller.id}/{order_id}/{call.key}/{call.language}")

    @routes.get("/till", who=Group.OPS)
    def till(call: Call) -> Answer:
        if call.method != "GET":
            raise ZeroDivisionError
        return Answer("<p>hi</p>", {"X-Till": call.query.get("n", "")}, content_type="text/html")

    @routes.get("/open", who=PUBLIC)
    def is_open() -> None:
        return None

    app.register_blueprint(routes)
    app.register_middleware(refuse_methods, "http")
    with Client(app) as client:
        yield client.http
    del DECLARED[before:]


def order(http: Any, body: bytes, **headers: str) -> Any:
    sent = {
        "Content-Type": "application/json",
        "Authorization": bearer("kim"),
        "Idempotency-Key": "k1",
    }
    return http.post("/orders/o1", headers={**sent, **headers}, body=body)


def test_a_view_gets_what_its_signature_asks_for(http: Any) -> None:
    answer = order(http, b'{"won": 5}', **{"Accept-Language": "en-GB, ko;q=0.8"})
    assert (answer.status_code, answer.json_body) == (
        201,
        {"won": 5, "by": "kim/o1/k1/en"},
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[" * 20_000, "/"),
        (b"", None),
        (b"[]", "/"),
        (b'{"won": "5"}', "/won"),
        (b'{"won": 5, "items": [1]}', "/items/0"),
        (b"{}", "/"),
    ],
)
def test_a_body_that_does_not_fit_is_a_400_that_says_where(
    http: Any, body: bytes, pointer: str | None
) -> None:
    answer = order(http, body)
    assert is_problem(answer, 400, "MALFORMED")
    assert [each["pointer"] for each in answer.json_body["errors"]] == ([pointer] if pointer else [])


def test_refusals_become_problems_with_the_business_word(http: Any) -> None:
    answer = order(http, b'{"won": 13}')
    assert is_problem(answer, 422, "SHOP_CLOSED")
    assert answer.json_body["title"] == "The shop is closed."
    assert answer.json_body["detail"] == "until tomorrow"


def test_what_nobody_foresaw_is_a_problem_too(http: Any) -> None:
    assert is_problem(order(http, b'{"won": 0}'), 500, "INTERNAL")


def test_another_media_type_is_refused(http: Any) -> None:
    assert is_problem(order(http, b"won=5", **{"Content-Type": "text/plain"}), 415)


def test_a_large_body_is_refused(http: Any) -> None:
    assert is_problem(order(http, json.dumps({"won": 1, "items": ["x" * 600_000]}).encode()), 413)


def test_a_keyed_post_without_a_key_is_refused(http: Any) -> None:
    headers = {"Content-Type": "application/json", "Authorization": bearer("kim")}
    assert is_problem(http.post("/orders/o1", headers=headers, body=b'{"won": 1}'), 400)


def test_only_the_right_people_get_in(http: Any) -> None:
    assert is_problem(
        http.post("/orders/o1", headers={"Content-Type": "application/json"}, body=b"{}"),
        401,
    )
    assert is_problem(http.get("/till", headers={"Authorization": bearer("kim")}), 403)
    answer = http.get("/till?n=7", headers={"Authorization": bearer("lee", "ops")})
    assert (answer.status_code, answer.headers["X-Till"]) == (200, "7")
    assert http.get("/open").status_code == 200


def test_every_family_has_one_status() -> None:
    families = {
        family for family in errors.HandoverError.__subclasses__() if family.__module__ == errors.__name__
    }
    assert families == set(STATUS)


def test_a_wrong_method_is_refused_in_our_words(http: Any) -> None:
    answer = http.delete("/till")
    assert is_problem(answer, 405, "WRONG_METHOD")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert http.get("/orders/o1").headers["Allow"] == "POST"


@pytest.mark.parametrize(("path", "status"), [("/open", 200), ("/till", 401), ("/orders/o1", 405)])
def test_head_is_get_without_its_body(http: Any, path: str, status: int) -> None:
    """RFC 9110, 9.3.2: the same status and the same headers."""
    full, bare = http.get(path), http.request("HEAD", path)
    assert (bare.status_code, bare.headers, bare.body) == (status, full.headers, b"")
    assert full.status_code == status


@pytest.mark.parametrize(("asked", "limit"), [(None, 10), ("", 10), ("1", 1), ("050", 50)])
def test_a_list_has_as_many_as_are_asked_for(asked: str | None, limit: int) -> None:
    assert limit_of({} if asked is None else {"limit": asked}, 10, 50) == limit


@pytest.mark.parametrize("asked", ["0", "51", "-1", "1.5", "ten", "٣", "1" * 5000, "0" * 9 + "999999", "1\n"])
def test_a_limit_that_fits_no_list_is_malformed(asked: str) -> None:
    with pytest.raises(Malformed):
        limit_of({"limit": asked}, 10, 50)
