"""A payment gateway in memory that keeps its promise and nothing else: one id, one charge, for ever."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.checkout.gateway import Taken
from chalicelib.checkout.model import Card, CardDeclined, RefundRefused, Unanswered
from chalicelib.kernel.money import Won

VISA = Card("Visa", "4242")
EMPTY, GOOD, OTHER = "tok_empty", "tok_good", "tok_other"


@dataclass
class Bank:
    """`EMPTY` cannot pay. `deaf` hears nothing, `mute` does what it is asked and does not answer; `broken`
    takes nothing, and knows that it did not. `lasts`: what goes on meanwhile, at each question."""

    charges: dict[str, Won] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    refunds: dict[str, Won] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    deaf: bool = False
    mute: bool = False
    broken: bool = False
    gives_nothing_back: bool = False
    asked: list[str] = field(default_factory=list)
    lasts: Callable[[], object] = bool

    def charge(self, payment_id: str, amount: Won, card_token: str, what: str) -> Taken:
        self._hear("charge")
        if self.broken:
            raise Unanswered()
        if self.tokens.setdefault(payment_id, card_token) == EMPTY:
            self.refused.add(payment_id)
        else:
            assert self.charges.setdefault(payment_id, amount) == amount
        self._answer()
        return self._taken(payment_id)

    def find(self, payment_id: str) -> Taken | None:
        self._hear("find")
        self._answer()
        return self._taken(payment_id) if payment_id in self.tokens else None

    def refund(self, reference: str, refund_id: str, amount: Won) -> None:
        self._hear("refund")
        if self.gives_nothing_back:
            raise RefundRefused("REFUND_REJECTED")
        assert reference.removeprefix("ref ") in self.charges
        assert self.refunds.setdefault(refund_id, amount) == amount
        self._answer()

    @property
    def kept(self) -> Won:
        return sum(self.charges.values()) - sum(self.refunds.values())

    def _taken(self, payment_id: str) -> Taken:
        if payment_id in self.refused:
            raise CardDeclined("limit")
        return Taken(f"ref {payment_id}", VISA)

    def _hear(self, what: str) -> None:
        self.lasts()
        if self.deaf:
            raise Unanswered()
        self.asked.append(what)

    def _answer(self) -> None:
        if self.mute:
            raise Unanswered()
