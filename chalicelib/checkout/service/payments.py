"""Money taken and given back, for a checkout or for whoever bills.

A payment is written down before the gateway hears of it, under the id that the gateway then knows it by.
Whoever takes it up again after a crash or a lost answer first asks the gateway what became of that id.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.checkout.model import (
    LEAST_BY_CARD,
    NO_ANSWER,
    Card,
    CardDeclined,
    MovedOn,
    Payment,
    PaymentDiffers,
    PaymentKnown,
    PaymentState,
    Refund,
    RefundRefused,
    RefundState,
    Unanswered,
    opened,
    promised,
)
from chalicelib.kernel.clock import KST, Clock
from chalicelib.kernel.errors import Busy, Conflict
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import Won
from chalicelib.kernel.tables import Write


class Taken(Protocol):
    """Money the gateway has taken. `reference` is its own name for it."""

    @property
    def reference(self) -> str: ...

    @property
    def card(self) -> Card: ...


class Gateway(Protocol):
    """Each call is safe to repeat: an id stands for one charge, and for one refund, for ever.

    CardDeclined and RefundRefused are final; Unanswered says nothing about what happened.
    """

    def charge(self, payment_id: str, amount: Won, card_token: str, what: str) -> Taken: ...

    def find(self, payment_id: str) -> Taken | None:
        """None when the gateway never heard of it; CardDeclined when that is how it ended."""

    def refund(self, reference: str, refund_id: str, amount: Won) -> None: ...


class PaymentStore(Protocol):
    """Methods with `write` only add clauses to a transaction; reads are strongly consistent."""

    def open(self, write: Write, payment: Payment) -> None:
        """PaymentKnown when there is one of that id."""

    def payment(self, payment_id: str) -> Payment | None: ...

    def settle(self, write: Write, after: Payment) -> None:
        """MovedOn unless it is still open. The card token goes."""

    def mark(self, before: Payment, after: Payment) -> None:
        """State, rung and due time; MovedOn unless it is as `before` says."""

    def promise(self, write: Write, refund: Refund, *, drawn: bool) -> None:
        """A refund of that id, taken off what is left of its payment unless it is `drawn` already.

        PaymentKnown when there is one of that id; NotRefundable when less is left.
        """

    def refund(self, payment_id: str, refund_id: str) -> Refund | None: ...

    def end(self, write: Write, before: Refund, after: Refund) -> None:
        """MovedOn unless it is still open. What was refused is left of its payment again."""

    def mark_refund(self, before: Refund, after: Refund) -> None:
        """MovedOn unless it is as `before` says."""

    def leave(self, write: Write, after: Payment) -> None:
        """Rung and due time; MovedOn unless it is still open."""

    def publish(self, write: Write, fact: Fact) -> None: ...


Add = Callable[[Write], bool]
"""Adds to the transaction in which a payment ends; False when nobody takes its money any more."""
Follow = Callable[[Payment, Callable[[Add], None]], None]
"""Commits the end of a payment together with what ends with it, however often that takes."""


def alone(_: Payment, commit: Callable[[Add], None]) -> None:
    commit(lambda _: True)


class PaymentService(Struct, frozen=True):
    """Takes money and gives it back, each under an id that happens once, whatever breaks off where."""

    store: PaymentStore
    gateway: Gateway
    begin: Callable[..., Write]
    now: Clock

    def charge(self, payment_id: str, amount: Won, card_token: str, what: str) -> Payment:
        """PAID, DECLINED, or UNKNOWN: ask again under the same id, and it is settled without a second charge.

        `what` stands on the customer's card statement. PaymentDiffers for another amount under that id.
        """
        return self._charge(opened(payment_id, amount, card_token, what, self.now()))

    def refund(self, payment_id: str, refund_id: str, amount: Won) -> Refund:
        """For whoever bills, who asks again under the same id while it is PENDING; so does the timer.

        NotRefundable when more than is left of a paid payment is asked for.
        """
        refund = promised(payment_id, refund_id, amount, self.now(), billed=True)
        write = self.begin()
        self.store.promise(write, refund, drawn=False)
        try:
            write.commit()
        except PaymentKnown:
            known = self._refund(payment_id, refund_id)
            if known.amount != amount:
                raise PaymentDiffers() from None
            return self.give_back(known)
        return self.give_back(refund)

    def verify(self, card_token: str) -> Card:
        """What may be shown of a card that can pay: the least amount is taken and given back at once.

        CardDeclined when it cannot; Unanswered when nobody knows. Asked twice on a day, it is charged once.
        """
        at = self.now()
        payment_id = keyed_id("ver", card_token, at.astimezone(KST).date().isoformat())
        payment = self._charge(replace(opened(payment_id, LEAST_BY_CARD, card_token, "card", at), check=True))
        if payment.state is PaymentState.DECLINED:
            raise CardDeclined(payment.reason or "")
        found = self.gateway.find(payment_id) if payment.state is PaymentState.PAID else None
        if found is None:
            raise Unanswered()
        self.give_back(self._refund(payment_id, payment_id))
        return found.card

    def find(self, payment_id: str) -> Payment | None:
        return self.store.payment(payment_id)

    def promise(self, write: Write, refund: Refund) -> None:
        """Writes it down; whoever committed that goes on with `promised`."""
        self.store.promise(write, refund, drawn=False)

    def promised(self, payment_id: str, refund_id: str) -> Refund:
        """As far as it has come: the gateway is asked now unless it has answered."""
        return self.give_back(self._refund(payment_id, refund_id))

    def leave(self, write: Write, payment: Payment) -> None:
        """Nobody waits for it any more: what it turns out to have taken goes back."""
        self.store.leave(write, payment.unwanted(self.now()))

    def open(self, write: Write, payment: Payment) -> None:
        """Writes it down; whoever committed that goes on with `take`."""
        self.store.open(write, payment)

    def take(self, payment: Payment, follow: Follow = alone) -> Payment:
        """Asks the gateway for the first time."""
        return self._asked(payment, lambda: self._send(payment), follow)

    def resume(self, payment: Payment, follow: Follow = alone) -> Payment:
        """Takes up what somebody began: the gateway says what became of it, or hears of it now."""
        if not payment.open:
            return payment
        return self._asked(payment, lambda: self._found(payment), follow)

    def give_back(self, refund: Refund) -> Refund:
        if not refund.open:
            return refund
        payment = self._payment(refund.payment_id)
        try:
            self.gateway.refund(payment.reference or "", refund.refund_id, refund.amount)
            after = refund.done()
        except RefundRefused as refusal:
            after = refund.refused(refusal.reason)
        except Unanswered:
            return refund
        try:
            self._end(refund, after, payment)
        except MovedOn:
            return self._refund(refund.payment_id, refund.refund_id)
        return after

    def _end(self, before: Refund, after: Refund, payment: Payment) -> None:
        """One that was refused is told, unless whoever asked for it hears it anyway."""
        write = self.begin()
        self.store.end(write, before, after)
        if after.state is RefundState.REFUSED and not after.billed:
            self.store.publish(write, self._refused(after, payment))
        write.commit()

    def _refused(self, refund: Refund, payment: Payment) -> Fact:
        about = refund.payment_id
        data = {
            "payment_id": about,
            "refund_id": refund.refund_id,
            "amount": refund.amount,
            "reason": refund.reason,
            "checkout_id": payment.checkout_id,
        }
        said = keyed_id("evt", about, refund.refund_id)
        return Fact.of("RefundRefused", "checkout", about, at=self.now(), id=said, data=data)

    def ring(self, seen: Payment | Refund, follow: Follow) -> bool:
        """Takes up one whose time has come, unless somebody else just did."""
        try:
            self._take_up(seen, follow)
        except MovedOn:
            return False
        except Busy:
            pass  # it is still open, and its next time is set
        return True

    def _take_up(self, seen: Payment | Refund, follow: Follow) -> None:
        at = self.now()
        if isinstance(seen, Refund):
            self.store.mark_refund(seen, seen.rung_at(at))
            self.give_back(seen.rung_at(at))
        else:
            self.store.mark(seen, seen.rung_at(at))
            self.resume(seen.rung_at(at), follow)

    def _charge(self, payment: Payment) -> Payment:
        write = self.begin()
        self.store.open(write, payment)
        try:
            write.commit()
        except PaymentKnown:
            known = self._payment(payment.payment_id)
            if known.amount != payment.amount:
                raise PaymentDiffers() from None
            return self.resume(known)
        return self.take(payment)

    def _found(self, payment: Payment) -> Taken:
        found = self.gateway.find(payment.payment_id)
        if found is None and payment.lost:
            raise CardDeclined(NO_ANSWER)
        if found is None and not payment.may_be_sent:
            raise Unanswered()
        return found or self._send(payment)

    def _send(self, payment: Payment) -> Taken:
        return self.gateway.charge(payment.payment_id, payment.amount, payment.card_token or "", payment.what)

    def _asked(self, payment: Payment, ask: Callable[[], Taken], follow: Follow) -> Payment:
        try:
            after = payment.paid(ask().reference)
        except CardDeclined as refusal:
            after = payment.declined(refusal.reason)
        except Unanswered:
            return self._unknown(payment)
        try:
            follow(after, lambda add: self._settle(after, add))
        except Conflict:
            return self._payment(payment.payment_id)
        return after

    def _settle(self, after: Payment, add: Add) -> None:
        """What was taken and nobody takes is promised back in the same transaction."""
        write = self.begin()
        kept = add(write) and not after.check
        if kept or after.state is not PaymentState.PAID:
            self.store.settle(write, after)
        else:
            self.store.settle(write, replace(after, left=0))
            back = promised(after.payment_id, after.payment_id, after.amount, self.now())
            self.store.promise(write, back, drawn=True)
        write.commit()

    def _unknown(self, payment: Payment) -> Payment:
        if payment.state is PaymentState.UNKNOWN:
            return payment
        try:
            self.store.mark(payment, payment.silent())
        except MovedOn:
            return self._payment(payment.payment_id)
        return payment.silent()

    def _payment(self, payment_id: str) -> Payment:
        payment = self.store.payment(payment_id)
        assert payment is not None
        return payment

    def _refund(self, payment_id: str, refund_id: str) -> Refund:
        refund = self.store.refund(payment_id, refund_id)
        assert refund is not None
        return refund
