"""Hearing what happened to a contract, ringing what is due, and talking to the gateway in between."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from chalicelib.billing.model import (
    BILLING_START,
    Account,
    Billing,
    Book,
    Card,
    CardChange,
    CardChanged,
    CardDeclined,
    Charge,
    Due,
    Heard,
    MovedOn,
    News,
    NoAccount,
    Payment,
    PaymentState,
    Refund,
    UnknownRefund,
    What,
)
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.deadlines import SHARDS, Report, sweep
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id

SOURCE = "billing"
TRIES = 5
ON_STATEMENT = {What.MONTHLY_FEE: "차량 월 이용료", What.SETTLEMENT: "차량 이용 정산"}
"""What the customer reads on the card's statement."""
MOST = 500
"""So many calls to a gateway fit into one run; what is left is due a minute later too."""


class Store(Protocol):
    def book(self, contract_id: str) -> Book | None:
        """Strongly consistent; None when nothing was ever heard of this contract."""

    def state(self, contract_id: str) -> Billing | None: ...

    def save(self, before: Book, after: Book, facts: Sequence[Fact]) -> None:
        """All or nothing; MovedOn when the account is not as `before` says."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]:
        """Page by page, earliest first; may lag by a moment."""


class Contracts(Protocol):
    def owned(self, contract_id: str, customer_id: str) -> None:
        """A NotFound when there is no such contract, or it is another customer's."""

    def card_token(self, contract_id: str) -> str | None:
        """The card the contract was signed with."""


class Payments(Protocol):
    """The payment gateway. The same id never moves money twice, whatever else a request says; UNKNOWN means
    that nobody knows, and that the same id may be asked again."""

    def charge(self, payment_id: str, amount: int, card_token: str, what: str) -> Payment: ...

    def refund(self, payment_id: str, refund_id: str, amount: int) -> Payment: ...

    def verify(self, card_token: str) -> Card:
        """CardDeclined when this card cannot be charged."""


class BillingService(Struct, frozen=True):
    store: Store
    contracts: Contracts
    payments: Payments
    now: Clock

    def hear(self, contract_id: str, news: Heard) -> Billing:
        """In any order and any number of times."""
        now = self.now()
        card = self._signed_with(contract_id) if news.news is News.PAID else None
        return self._changed(contract_id, lambda book: book.told(news, now, card)).account.state

    def sweep(self, shards: Iterable[int] = range(SHARDS)) -> Report:
        """Rings what is due, each once: the next call to the gateway is stored before it is made."""
        until = self.now()
        return sweep(
            lambda shard: self.store.due(shard, until),
            lambda due: self.ring(due.contract_id),
            shards=shards,
            most=MOST,
            hand_on=lambda _: None,
        )

    def ring(self, contract_id: str) -> bool:
        """Whether something was due, and ours to do."""
        now, before = self.now(), self.store.book(contract_id)
        if before is None or before.account.due_at is None or before.account.due_at > now:
            return False
        after, charges, refunds = before.rung(now).asking(now)
        try:
            self._save(before, after)
        except MovedOn:
            return False
        for charge in charges:
            self._charge(after.account, charge)
        for refund in refunds:
            self._refund(contract_id, refund)
        return True

    def change_card(
        self, contract_id: str, card_token: str, fingerprint: str, by: Caller, key: str
    ) -> Done[CardChanged]:
        """The old card is kept until the new one is verified. What is overdue is asked of it at once."""
        self.contracts.owned(contract_id, by.id)
        request_id = keyed_id("pmt", contract_id, by.id, key)
        known = self._known_change(contract_id, request_id, fingerprint)
        if known:
            return Done(self._card_changed(contract_id, known), replayed=True)
        card, now = self.payments.verify(card_token), self.now()
        change = CardChange(request_id, fingerprint, card.brand, card.last4)
        book = self._changed(contract_id, lambda book: book.carded(card, change, now))
        winner = book.card_change(request_id, fingerprint) or change
        self.ring(contract_id)
        return Done(self._card_changed(contract_id, winner))

    def transferred(self, contract_id: str, refund_id: str) -> Done[Refund]:
        """Operations transferred what no card takes back. Naturally idempotent: a refund is paid once."""
        now, seen = self.now(), self.store.book(contract_id)
        if seen is None:
            raise UnknownRefund()
        book = self._changed(contract_id, lambda each: each.transferred(refund_id, now))
        refund = next(each for each in book.refunds if each.refund_id == refund_id)
        return Done(refund, replayed=refund in seen.refunds)

    def payments_of(self, contract_id: str, by: Caller) -> Book:
        """Everything charged, given back and not charged; an empty book before the first payment."""
        if Group.OPS not in by.groups:
            self.contracts.owned(contract_id, by.id)
        return self.store.book(contract_id) or Book(Account(contract_id))

    def standing(self, contract_id: str) -> str:
        return self.store.state(contract_id) or BILLING_START

    def _known_change(self, contract_id: str, request_id: str, fingerprint: str) -> CardChange | None:
        book = self.store.book(contract_id)
        known = book.card_change(request_id, fingerprint) if book else None
        if known is None and not (book and book.open):
            raise NoAccount()
        return known

    def _card_changed(self, contract_id: str, change: CardChange) -> CardChanged:
        state = self.store.state(contract_id) or BILLING_START
        return CardChanged(change.brand, change.last4, state)

    def _signed_with(self, contract_id: str) -> Card | None:
        """Its particulars can wait: a card that is declined here is dunned when its first charge is."""
        token = self.contracts.card_token(contract_id)
        if token is None:
            return None
        try:
            return self.payments.verify(token)
        except (CardDeclined, Busy):
            return Card(token)

    def _charge(self, account: Account, charge: Charge) -> None:
        answer = Payment(PaymentState.DECLINED, "no card")
        if account.card:
            answer = self.payments.charge(
                charge.payment_id, charge.amount, account.card.token, ON_STATEMENT[charge.what]
            )
        now = self.now()
        self._changed(account.contract_id, lambda book: book.charge_answered(charge, answer, now))

    def _refund(self, contract_id: str, refund: Refund) -> None:
        answer = self.payments.refund(refund.payment_id, refund.refund_id, refund.amount)
        now = self.now()
        self._changed(contract_id, lambda book: book.refund_answered(refund, answer, now))

    def _changed(self, contract_id: str, think: Callable[[Book], Book]) -> Book:
        """Thought over again, from what is then stored, whenever somebody else was faster."""
        for _ in range(TRIES):
            before = self.store.book(contract_id) or Book(Account(contract_id))
            after = think(before)
            if after is before:
                return before
            try:
                self._save(before, after)
                return after
            except MovedOn:
                continue
        raise Busy()

    def _save(self, before: Book, after: Book) -> None:
        now, account = self.now(), before.account
        facts = [
            Fact.of(
                said.name,
                SOURCE,
                account.contract_id,
                at=now,
                id=keyed_id("evt", account.contract_id, str(account.version), str(number)),
                data={name: _plain(value) for name, value in said.data.items()},
            )
            for number, said in enumerate(after.said)
        ]
        self.store.save(before, after.next_version(), facts)


def _plain(value: object) -> object:
    return stamp(value) if isinstance(value, datetime) else value
