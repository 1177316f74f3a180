"""The simulated payment gateway: cards, payments, and what each idempotency key was answered, in memory.

It speaks the part of Toss Payments' core API that chalicelib/checkout/gateway.py uses, with its error words.
What a card does is in its token:

| card number         | token           | what happens                                                    |
|---------------------|-----------------|-----------------------------------------------------------------|
| 4242 4242 4242 4242 | tok_...         | pays, as does every other valid number, and any token `tok_...` |
| 4000 0000 0000 0002 | tok_declined... | the issuer refuses it                                           |
| 4000 0000 0000 0069 | tok_expired...  | has run out                                                     |
| 4000 0000 0000 0259 | tok_twice...    | pays, and the answer is sent twice                              |
| 4000 0000 0000 0341 | tok_timeout...  | pays, and the answer comes too late for anybody to hear it      |
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LATE_SECONDS = 20.0
"""Longer than anybody waits."""

Json = dict[str, Any]
Answer = tuple[int, Json]

BRANDS = {"3": ("7A", "American Express"), "4": ("4V", "Visa"), "5": ("4M", "Mastercard"), "9": ("31", "BC")}
"""First digit -> the gateway's code of the issuer, and its name."""

SPECIAL = {
    "4000000000000002": "tok_declined_",
    "4000000000000069": "tok_expired_",
    "4000000000000259": "tok_twice_",
    "4000000000000341": "tok_timeout_",
}
REFUSALS = {
    "tok_declined": (403, "REJECT_CARD_PAYMENT", "한도초과 혹은 잔액부족으로 결제에 실패했습니다."),
    "tok_expired": (400, "INVALID_CARD_EXPIRATION", "카드 정보를 다시 확인해주세요. (유효기간)"),
}


class No(Exception):
    """A refusal in the gateway's own form."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.answer: Answer = (status, {"code": code, "message": message})


@dataclass
class Bank:
    """`late`: so many seconds an answer takes that comes too late. `away`: nothing works there just now."""

    late: float = LATE_SECONDS
    away: bool = False
    cards: dict[str, tuple[str, str]] = field(default_factory=dict)
    payments: dict[str, Json] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer | None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, asked: Json) -> Json:
        number = re.sub(r"\D", "", str(asked.get("number", "")))
        if not 13 <= len(number) <= 19 or not luhn(number):
            raise No(400, "INVALID_CARD_NUMBER", "카드번호를 다시 확인해주세요.")
        if not still_good(str(asked.get("expiry", ""))):
            raise No(400, "INVALID_CARD_EXPIRATION", "카드 정보를 다시 확인해주세요. (유효기간)")
        if not re.fullmatch(r"\d{6}|\d{10}", str(asked.get("birth_or_business_no", ""))):
            raise No(
                400, "INVALID_BIRTH_DAY_FORMAT", "생년월일 6자리 또는 사업자번호 10자리가 맞지 않습니다."
            )
        issuer, brand = BRANDS.get(number[0], ("31", "BC"))
        token = SPECIAL.get(number, "tok_") + secrets.token_hex(12)
        self.cards[token] = (issuer, number)
        return {"card_token": token, "brand": brand, "last4": number[-4:]}

    def once(self, key: str, path: str, act: Callable[[], Json]) -> Answer:
        """A repeated key on the same path is answered as it was; while the first is under way, with a 409."""
        if not key:
            return self._tried(act)
        with self.lock:
            if (key, path) in self.answers:
                busy = No(409, "IDEMPOTENT_REQUEST_PROCESSING", "이전 멱등 요청이 처리중입니다.")
                return self.answers[key, path] or busy.answer
            self.answers[key, path] = None
        answer = self._tried(act)
        self.answers[key, path] = answer
        return answer

    def charge(self, token: str, asked: Json) -> Json:
        if not token.startswith("tok_"):
            raise No(
                400,
                "INVALID_BILL_KEY_REQUEST",
                "빌링키 인증이 완료되지 않았거나 유효하지 않은 빌링 거래 건입니다.",
            )
        order, amount = str(asked.get("orderId", "")), asked.get("amount")
        shaped = re.fullmatch(r"[A-Za-z0-9_=-]{6,64}", order) and asked.get("customerKey")
        if not shaped or not isinstance(amount, int) or amount < 100:
            raise No(400, "INVALID_REQUEST", "잘못된 요청입니다.")
        with self.lock:
            if order in self.payments:
                raise No(400, "DUPLICATED_ORDER_ID", "이미 승인 및 취소가 진행된 중복된 주문번호 입니다.")
            self.payments[order] = self._payment(token, order, amount, str(asked.get("orderName", "")))
        for begins, refusal in REFUSALS.items():
            if token.startswith(begins):
                self.payments[order] |= {
                    "status": "ABORTED",
                    "failure": {"code": refusal[1]},
                    "balanceAmount": 0,
                }
                raise No(*refusal)
        if token.startswith("tok_timeout"):
            time.sleep(self.late)
        return self.payments[order]

    def find(self, order: str) -> Json:
        if order not in self.payments:
            raise No(404, "NOT_FOUND_PAYMENT", "존재하지 않는 결제 입니다.")
        return self.payments[order]

    def cancel(self, payment_key: str, asked: Json) -> Json:
        with self.lock:
            payment = next((it for it in self.payments.values() if it["paymentKey"] == payment_key), None)
            if payment is None:
                raise No(404, "NOT_FOUND_PAYMENT", "존재하지 않는 결제 입니다.")
            left = payment["balanceAmount"]
            amount = asked.get("cancelAmount", left)
            if left == 0:
                raise No(400, "ALREADY_CANCELED_PAYMENT", "이미 취소된 결제 입니다.")
            if not isinstance(amount, int) or not 0 < amount <= left:
                raise No(403, "NOT_CANCELABLE_AMOUNT", "취소 할 수 없는 금액 입니다.")
            payment["balanceAmount"] = left - amount
            payment["status"] = "PARTIAL_CANCELED" if left > amount else "CANCELED"
            payment["cancels"].append({"cancelAmount": amount, "canceledAt": datetime.now(UTC).isoformat()})
        return payment

    def listing(self) -> Json:
        taken = [it for it in list(self.payments.values()) if it["status"] != "ABORTED"]
        return {
            "payments": [
                {"order_id": it["orderId"], "amount": it["totalAmount"], "left": it["balanceAmount"]}
                for it in taken
            ]
        }

    def _payment(self, token: str, order: str, amount: int, name: str) -> Json:
        issuer, number = self.cards.get(token, ("4V", "4242424242424242"))
        return {
            "paymentKey": f"pk_{secrets.token_hex(12)}",
            "orderId": order,
            "orderName": name,
            "status": "DONE",
            "totalAmount": amount,
            "balanceAmount": amount,
            "currency": "KRW",
            "method": "카드",
            "approvedAt": datetime.now(UTC).isoformat(),
            "card": {"issuerCode": issuer, "number": f"{number[:6]}******{number[-4:]}", "amount": amount},
            "cancels": [],
            "failure": None,
        }

    def _tried(self, act: Callable[[], Json]) -> Answer:
        try:
            return 200, json.loads(json.dumps(act()))
        except No as no:
            return no.answer


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def still_good(expiry: str) -> bool:
    """MM/YY, to the end of its month."""
    if not re.fullmatch(r"(0[1-9]|1[0-2])/\d{2}", expiry):
        return False
    now = datetime.now(UTC)
    return (2000 + int(expiry[3:]), int(expiry[:2])) >= (now.year, now.month)
