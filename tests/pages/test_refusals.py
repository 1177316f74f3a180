"""Why operations, sponsors and customers are refused is said in both languages."""

import re
from typing import Any

from playwright.sync_api import Page

from chalicelib.checkout.model import errors as checkouts
from chalicelib.coupons.model import errors as coupons
from chalicelib.kernel import errors as kernel
from chalicelib.kernel.errors import Busy, HandoverError, TooMany, Unauthenticated
from chalicelib.ledger.model import books, runs, settlement
from chalicelib.pages.store import version
from chalicelib.points.model import errors as points
from tests.pages.site import Site

ANSWERED = (Busy, TooMany, Unauthenticated)
"""Whatever their code: asked again, told how long to wait, signed out."""

INSIDE = {
    *("ALREADY_BOOKED", "ALREADY_DONE", "ALREADY_RESERVED", "BATCH_MOVED", "CODE_TAKEN", "COUPON_DOOMED"),
    *("GIFT_OVER", "MOVED_ON", "NOT_ALONE", "NOT_AS_FOUND", "NOT_BOUND", "NOT_HELD", "PAYMENT_KNOWN"),
    *("RUN_KNOWN", "RUN_MOVED", "SHARD_MERGED", "SHARD_SHORT", "SPONSOR_KNOWN"),
}
"""Answered by the service itself, and never heard outside it."""

CUSTOMERS = {
    *("BUDGET_SHORT", "CAMPAIGN_NOT_OPEN", "CODE_REFUSED", "NOTHING_TO_DISCOUNT", "ORDER_TOO_SMALL"),
    *("USER_LIMIT_REACHED", "BIRTHDAY_FIXED", "NOT_CONVERTIBLE", "NOT_ENOUGH_POINTS", "PARTNER_REFUSED"),
    *("NO_CAR_YET", "TOO_MANY_HOLDS", "UNKNOWN_CONVERSION", "UNKNOWN_PARTNER"),
}
"""Only customers hear these; operations look them up."""

LOOKED_UP = {
    *("BUDGET_EXHAUSTED", "BUDGET_SHORT", "CAMPAIGN_CLOSED", "CAMPAIGN_NOT_OPEN", "CAMPAIGN_PAUSED"),
    *("CODE_REFUSED", "COUPON_USED", "COUPON_VOID", "NOTHING_TO_DISCOUNT", "ORDER_TOO_SMALL"),
    *("NOT_ENOUGH_POINTS", "TOO_MANY_CODES", "TOO_MANY_HOLDS", "UNKNOWN_CAMPAIGN", "UNKNOWN_COUPON"),
    *("USER_LIMIT_REACHED", "BUSY", "CONFLICTED", "FORBIDDEN", "KEY_REUSED", "MALFORMED", "NOT_FOUND"),
}
"""What a customer can be refused a coupon or a payment for; and every refusal of a checkout."""

AFTERWARDS = {
    *("NOTHING_PAID", "NOT_REFUNDABLE", "PAYMENT_DIFFERS", "REFUND_BY_CANCELLING", "REFUND_DIFFERS"),
    *("REFUND_REFUSED", "TOO_MANY_REFUNDS"),
}
"""Of refunds, which nobody looks up as attempts."""


def refusals(*rooms: Any) -> set[type[HandoverError]]:
    found = {each for room in rooms for each in vars(room).values() if isinstance(each, type)}
    return {each for each in found if issubclass(each, HandoverError)} - {HandoverError}


def words(page: Page, site: Site, *parts: str) -> dict[str, list[str]]:
    page.goto(f"{site.url}/sponsor")
    found: dict[str, list[str]] = {}
    for part in parts:
        address = f"{site.url}/assets/{version()}/words-{part}.js"
        found |= page.evaluate("async address => (await import(address)).words", address)
    return found


def in_both(texts: list[str]) -> bool:
    korean, english = texts
    return bool(re.search("[가-힣]", korean)) and bool(english) and not re.search("[가-힣]", english)


def test_every_refusal_that_operations_can_hear_has_words_in_both_languages(page: Page, site: Site) -> None:
    every = refusals(kernel, coupons, points, books, runs, settlement)
    heard = {each.code for each in every if not issubclass(each, ANSWERED)} - INSIDE - CUSTOMERS
    said = words(page, site, "ops-refusals")
    assert {code for code in heard if f"problem.{code}" not in said} == set()
    assert [name for name, texts in said.items() if not in_both(texts)] == []


def test_every_refusal_that_operations_can_look_up_has_words_in_both_languages(
    page: Page, site: Site
) -> None:
    of_checkouts = {each.code for each in refusals(checkouts) - refusals(kernel)} - INSIDE - AFTERWARDS
    said = words(page, site, "ops-books")
    assert {code for code in of_checkouts | LOOKED_UP if f"refusal.{code}" not in said} == set()
