"""The payment gateway: Toss Payments' core API, version 2022-11-16, over HTTP.

- A charge is POST /v1/billing/{billingKey} (docs.tosspayments.com/guides/billing/integration-api), found
  again by GET /v1/payments/orders/{orderId}, given back by POST /v1/payments/{paymentKey}/cancel.
- The payment's id is orderId and `Idempotency-Key` in one: every POST answers a repeated key as it did the
  first time, for 15 days (docs.tosspayments.com/guides/using-api/idempotency-key).
- The secret key is the user name of HTTP Basic, without a password
  (docs.tosspayments.com/reference/using-api/authorization).
- Only what docs.tosspayments.com/reference/error-codes says of the card itself ends a charge as declined. A
  time-out, a 5xx, DUPLICATED_ORDER_ID, IDEMPOTENT_REQUEST_PROCESSING, PROVIDER_ERROR, or a word we do not
  know says nothing about the money.

A card token is `<billingKey>.<customerKey>`, or the billing key alone when both are the same.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3
from msgspec import Struct

from chalicelib.checkout.model import Card, CardDeclined, RefundRefused, Unanswered
from chalicelib.kernel.money import Won

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
"""Together well inside the API function's twenty; a charge that takes longer is settled by the sweep."""

DECLINES = {
    "EXCEED_MAX_AMOUNT": "limit",
    "EXCEED_MAX_AUTH_COUNT": "limit",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT": "limit",
    "EXCEED_MAX_PAYMENT_AMOUNT": "limit",
    "INVALID_BILL_KEY_REQUEST": "unknown_card",
    "INVALID_CARD_EXPIRATION": "expired",
    "INVALID_CARD_LOST_OR_STOLEN": "stopped",
    "INVALID_CARD_NUMBER": "unknown_card",
    "INVALID_REJECT_CARD": "refused",
    "INVALID_STOPPED_CARD": "stopped",
    "NOT_FOUND_BILLING_KEY": "unknown_card",
    "NOT_MATCHES_CUSTOMER_KEY": "unknown_card",
    "NOT_REGISTERED_CARD_COMPANY": "unsupported",
    "NOT_SUPPORTED_CARD_TYPE": "unsupported",
    "REJECT_ACCOUNT_PAYMENT": "limit",
    "REJECT_CARD_COMPANY": "refused",
    "REJECT_CARD_PAYMENT": "limit",
}
"""The gateway's code -> our word: limit, expired, stopped, refused, unsupported or unknown_card."""

NO_REFUND = {
    "EXCEED_MAX_REFUND_DUE",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "NOT_CANCELABLE_AMOUNT",
    "NOT_CANCELABLE_PAYMENT",
    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
    "NOT_MATCHES_REFUNDABLE_AMOUNT",
    "REFUND_REJECTED",
}
ALL_IS_BACK = {"ALREADY_CANCELED_PAYMENT", "ALREADY_REFUND_PAYMENT"}
NEVER_HEARD = {"NOT_FOUND_PAYMENT"}
WAS_TAKEN = {"DONE", "PARTIAL_CANCELED", "CANCELED"}
CAME_TO_NOTHING = {"ABORTED", "EXPIRED"}

ISSUERS = {
    "11": "KB국민",
    "15": "카카오뱅크",
    "21": "하나",
    "24": "토스뱅크",
    "31": "BC",
    "33": "우리",
    "3A": "케이뱅크",
    "3K": "기업",
    "41": "신한",
    "51": "삼성",
    "61": "현대",
    "71": "롯데",
    "91": "NH농협",
    "4J": "JCB",
    "4M": "Mastercard",
    "4V": "Visa",
    "7A": "American Express",
}
"""docs.tosspayments.com/codes/org-codes: the issuers most customers have."""


class Taken(Struct, frozen=True):
    reference: str
    card: Card


class _Card(Struct):
    issuer_code: str = msgspec.field(name="issuerCode", default="")
    number: str = ""

    def shown(self) -> Card:
        return Card(ISSUERS.get(self.issuer_code, self.issuer_code), self.number[-4:])


class _Failure(Struct):
    code: str = ""


class _Payment(Struct):
    """Of the gateway's Payment what we read."""

    payment_key: str = msgspec.field(name="paymentKey", default="")
    order_id: str = msgspec.field(name="orderId", default="")
    status: str = ""
    total: int = msgspec.field(name="totalAmount", default=0)
    card: _Card | None = None
    failure: _Failure | None = None
    code: str = ""
    """Of a problem: answers that are none have no `code` of their own."""


class TossPayments(Struct, frozen=True):
    """The gateway of `service.Gateway`. `secret` is read for every call: it is kept by who reads it."""

    connect: Callable[[], urllib3.PoolManager]
    url: str
    secret: Callable[[], str]

    def charge(self, payment_id: str, amount: Won, card_token: str, what: str) -> Taken:
        billing_key, _, customer_key = card_token.partition(".")
        body = {
            "customerKey": customer_key or billing_key,
            "amount": amount,
            "orderId": payment_id,
            "orderName": what,
        }
        status, said = self._ask("POST", f"/v1/billing/{quote(billing_key, safe='')}", payment_id, body)
        if said.code in DECLINES:
            raise CardDeclined(DECLINES[said.code])
        if status != OK or said.total != amount:
            raise Unanswered()
        return self._taken(said, payment_id)

    def find(self, payment_id: str) -> Taken | None:
        status, said = self._ask("GET", f"/v1/payments/orders/{quote(payment_id, safe='')}")
        if status == OK:
            return self._taken(said, payment_id)
        if said.code in NEVER_HEARD:
            return None
        raise Unanswered()

    def refund(self, reference: str, refund_id: str, amount: Won) -> None:
        path = f"/v1/payments/{quote(reference, safe='')}/cancel"
        body = {"cancelReason": "refund", "cancelAmount": amount}
        status, said = self._ask("POST", path, refund_id, body)
        if said.code in NO_REFUND:
            raise RefundRefused(said.code)
        done = status == OK and said.payment_key == reference
        if not done and said.code not in ALL_IS_BACK:
            raise Unanswered()

    def _taken(self, said: _Payment, payment_id: str) -> Taken:
        if said.order_id != payment_id:
            raise Unanswered()
        if said.status in CAME_TO_NOTHING:
            raise CardDeclined(DECLINES.get(said.failure.code if said.failure else "", "refused"))
        if said.status not in WAS_TAKEN:
            raise Unanswered()
        return Taken(said.payment_key, (said.card or _Card()).shown())

    def _ask(self, method: str, path: str, key: str = "", body: Any = None) -> tuple[int, _Payment]:
        """On a connection of its own: an answer that is sent twice must not answer the next question."""
        headers = dict(urllib3.make_headers(basic_auth=f"{self.secret()}:"))
        if body is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        raw = msgspec.json.encode(body) if body else None
        try:
            with self.connect() as http:
                answer = http.request(method, self.url + path, body=raw, headers=headers)
            return answer.status, msgspec.json.decode(answer.data, type=_Payment)
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError) as problem:
            raise Unanswered() from problem


OK = 200


def once(read: float = READ_SECONDS) -> urllib3.PoolManager:
    """Nothing is sent twice by itself: what became of a request is a question to ask, not to repeat."""
    return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read))
