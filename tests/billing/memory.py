"""The billing store in memory, and a gateway that does what real ones do: decline, and fall silent."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from chalicelib.billing.model import (
    Billing,
    Book,
    Card,
    CardDeclined,
    Due,
    MovedOn,
    Payment,
    PaymentState,
)
from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from tests.memory import LOCK, MemoryWrite

PAGE = 3


class MemoryBilling:
    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self.published: list[Fact] = []

    def book(self, contract_id: str) -> Book | None:
        return self.books.get(contract_id)

    def state(self, contract_id: str) -> Billing | None:
        book = self.books.get(contract_id)
        return book.account.state if book else None

    def save(self, before: Book, after: Book, facts: Sequence[Fact]) -> None:
        contract_id = before.account.contract_id

        def unchanged() -> bool:
            known = self.books.get(contract_id)
            return (known.account.version if known else 0) == before.account.version

        write = MemoryWrite()
        write.clause(holds=unchanged, then=lambda: self.books.update({contract_id: after}), otherwise=MovedOn)
        for fact in facts:
            write.fact(self.published, fact)
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[list[Due]]:
        with LOCK:
            accounts = [book.account for book in self.books.values()]
        running = [each for each in accounts if each.due_at and each.due_at <= until]
        mine = [each for each in running if shard_of(each.contract_id) == str(shard)]
        mine.sort(key=lambda each: each.due_at or until)
        for start in range(0, max(len(mine), 1), PAGE):
            yield [Due(each.contract_id, each.due_at) for each in mine[start : start + PAGE]]


class Contracts:
    """Every contract whose id ends in a name is that customer's."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}

    def owned(self, contract_id: str, customer_id: str) -> None:
        from chalicelib.contracts.model import UnknownContract

        if contract_id != f"con_{customer_id}":
            raise UnknownContract()

    def card_token(self, contract_id: str) -> str | None:
        return self.tokens.get(contract_id, "tok_good")


class Gateway:
    """Keeps what each id did. `declining`: cards it declines; one that is `empty` too can still be verified.
    `had_gone_back`: so much of each refund, before it. `silent`: so many next answers are lost, after the
    money moved or, unless `after`, before it could."""

    def __init__(self) -> None:
        self.charged: dict[str, tuple[int, str]] = {}
        self.declined: set[str] = set()
        self.refunded: dict[str, tuple[str, int]] = {}
        self.declining = {"tok_bad", "tok_empty"}
        self.empty = {"tok_empty"}
        self.refuses_refunds = False
        self.had_gone_back = 0
        self.silent, self.after = 0, True
        self.calls: list[str] = []

    def charge(self, payment_id: str, amount: int, card_token: str, what: str) -> Payment:
        self.calls.append(payment_id)
        if self._lost() and not self.after:
            return Payment(PaymentState.UNKNOWN)
        with LOCK:
            known = payment_id in self.charged or payment_id in self.declined
            if not known and card_token in self.declining:
                self.declined.add(payment_id)
            elif not known:
                self.charged[payment_id] = (amount, card_token)
        if self._swallow():
            return Payment(PaymentState.UNKNOWN)
        if payment_id in self.declined:
            return Payment(PaymentState.DECLINED, "insufficient funds")
        return Payment(PaymentState.PAID)

    def refund(self, payment_id: str, refund_id: str, amount: int) -> Payment:
        self.calls.append(refund_id)
        if self._lost() and not self.after:
            return Payment(PaymentState.UNKNOWN)
        if self.refuses_refunds:
            return Payment(PaymentState.DECLINED, "card closed", amount - self.had_gone_back)
        self.refunded.setdefault(refund_id, (payment_id, amount - self.had_gone_back))
        state = PaymentState.UNKNOWN if self._swallow() else PaymentState.PAID
        return Payment(state, amount=amount - self.had_gone_back)

    def verify(self, card_token: str) -> Card:
        if card_token in self.declining - self.empty:
            raise CardDeclined()
        return Card(card_token, "visa", "4242")

    @property
    def taken(self) -> int:
        return sum(amount for amount, _ in self.charged.values())

    @property
    def given_back(self) -> int:
        return sum(amount for _, amount in self.refunded.values())

    def _lost(self) -> bool:
        if self.silent and not self.after:
            self.silent -= 1
            return True
        return False

    def _swallow(self) -> bool:
        if self.silent and self.after:
            self.silent -= 1
            return True
        return False
