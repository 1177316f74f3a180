"""What happens to a contract's money: facts, timers, answers of the gateway, and what follows from them."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.billing.model.known import Known
from chalicelib.billing.model.ledger import AGAINST, Ledger, Posting
from chalicelib.billing.model.states import (
    ASK_AGAIN,
    BILLING,
    DAY,
    DUNNING,
    LEAST,
    QUIET,
    START_BY,
    Billing,
    BillingEvent,
)
from chalicelib.billing.model.terms import Line, Month, Span, What, without
from chalicelib.billing.model.values import (
    Card,
    CardChange,
    Charge,
    ChargeState,
    Heard,
    News,
    NotByHand,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    Said,
    UnknownRefund,
)
from chalicelib.kernel.money import Won


class Book(Known, frozen=True):
    """Each change gives a new book. A timer's own change is stored before the gateway is asked."""

    def next_version(self) -> "Book":
        """As it is stored: what it says has been said then."""
        account = replace(self.account, version=self.account.version + 1)
        return replace(self, account=account, said=())

    # -- what happens --------------------------------------------------------------------------------------

    def told(self, news: Heard, now: datetime, card: Card | None = None) -> "Book":
        """Unchanged when this was heard before. `card`: the one the contract was signed with."""
        if self.has(news.id):
            return self
        account = replace(
            self.account,
            customer_id=self.account.customer_id or news.customer_id,
            card=self.account.card or card,
            heard_at=now,
        )
        after = replace(self, account=account, heard=(*self.heard, news))._followed(now)
        return after._saying(*_gap_news(self, after))._timed()

    def rung(self, now: datetime) -> "Book":
        """The timer that ran out has rung; some ring for a call to the gateway only."""
        book, charge, month = self, self.open_charge, self.next_month
        for refund in self._refunds_due(now):
            book = book._by_hand(refund, now) if refund.state is RefundState.BY_HAND else book
        if charge and charge.state is ChargeState.DECLINED and _rings(charge) <= now:
            book = book._dunned(charge, now)
        elif self._start_late(now):
            book = book._moved(BillingEvent.T_START_BY)._again(now)
            book = book._saying(Said("BillingStartLate", {"contract_id": self.account.contract_id}))
        elif charge is None and month and month.span.from_at <= now:
            book = book._moved(BillingEvent.T_NEXT_CHARGE)
            book = book._again(now) if book.gap_open else book._charged_for(month, now)
        account = replace(book.account, rung=book.account.rung + 1)
        return replace(book, account=account)._followed(now)._timed()

    def carded(self, card: Card, change: CardChange, now: datetime) -> "Book":
        """A verified card takes the old one's place, and what is overdue is asked of it at once.

        Unchanged when this request was granted before."""
        if any(each.request_id == change.request_id for each in self.card_changes):
            return self
        book = replace(
            self,
            account=replace(self.account, card=card),
            card_changes=(*self.card_changes, change),
        )._saying(Said("PaymentMethodChanged", {"contract_id": self.account.contract_id}))
        charge = self.open_charge
        if charge and charge.state is ChargeState.DECLINED:
            book = book._retried(charge, now)
        return book._followed(now)._timed()

    def asking(self, now: datetime) -> "tuple[Book, list[Charge], list[Refund]]":
        """The calls that are due, and the book in which they will be made again if nobody answers."""
        charges = [each for each in self.charges if each.ask_at and each.ask_at <= now]
        refunds = [each for each in self._refunds_due(now) if each.state is RefundState.ASKING]
        book = self
        for charge in charges:
            book = book._with_charge(replace(charge, ask_at=now + ASK_AGAIN))
        for refund in refunds:
            book = book._with_refund(replace(refund, ask_at=now + ASK_AGAIN))
        return book._timed(), charges, refunds

    def charge_answered(self, asked: Charge, answer: Payment, now: datetime) -> "Book":
        """Unchanged when it was answered before, and while nobody knows."""
        charge = next(each for each in self.charges if each.charge_id == asked.charge_id)
        open_still = charge.state is ChargeState.ASKING and charge.payment_id == asked.payment_id
        if not open_still or answer.state is PaymentState.UNKNOWN:
            return self
        if answer.state is PaymentState.PAID:
            return self._collected(charge, now)._followed(now)._timed()
        declined = replace(
            charge,
            state=ChargeState.DECLINED,
            ask_at=None,
            declined_at=charge.declined_at or now,
            reason=answer.reason,
        )
        data = {"attempt": charge.attempt, "reason": answer.reason}
        book = self._with_charge(declined)._moved(BillingEvent.CHARGE_FAILED)
        return book._saying(_charge_news("ChargeFailed", book, declined, data))._followed(now)._timed()

    def refund_answered(self, asked: Refund, answer: Payment, now: datetime) -> "Book":
        """A refund that no card takes stays owed: it is transferred by hand."""
        refund = next(each for each in self.refunds if each.refund_id == asked.refund_id)
        if refund.state is not RefundState.ASKING or answer.state is PaymentState.UNKNOWN:
            return self
        if answer.amount is not None:
            refund = replace(refund, before=refund.amount - answer.amount)
        if answer.state is PaymentState.DECLINED:
            return self._by_hand(replace(refund, state=RefundState.BY_HAND), now)._timed()
        return self._given_back(refund, now)

    def transferred(self, refund_id: str, now: datetime) -> "Book":
        """Operations have transferred it; unchanged when that was said before."""
        refund = next((each for each in self.refunds if each.refund_id == refund_id), None)
        if refund is None:
            raise UnknownRefund()
        if refund.state is RefundState.ASKING:
            raise NotByHand()
        return self if refund.state is RefundState.PAID else self._given_back(refund, now)

    def _given_back(self, refund: Refund, now: datetime) -> "Book":
        data = {
            "contract_id": self.account.contract_id,
            "refund_id": refund.refund_id,
            "amount": refund.rest,
        }
        cause = f"refunded/{refund.refund_id}"
        book = self._with_refund(replace(refund, state=RefundState.PAID, ask_at=None))
        book = book._posted(cause, What.REFUND, Ledger.REFUNDS_DUE, Ledger.CASH, refund.amount, now)
        said = [Said("RefundPaid", data)] if refund.rest else []
        return book._saying(*said)._followed(now)._timed()

    # -- charges -------------------------------------------------------------------------------------------

    def _charged_for(self, month: Month, now: datetime) -> "Book":
        """The month's fee is owed; all that is owed by now is asked of the card, less what we owe."""
        book = self._owing(month, now)._credited(now)
        charge_id = f"{self.account.contract_id}-{month.number}"
        return book._asked(charge_id, What.MONTHLY_FEE, now, month)

    def _owing(self, month: Month, now: datetime) -> "Book":
        cause = f"fee/{month.number}"
        return self._posted(cause, What.MONTHLY_FEE, Ledger.RECEIVABLE, Ledger.DEFERRED, month.fee, now)

    def _asked(self, charge_id: str, what: What, now: datetime, month: Month | None = None) -> "Book":
        owed = self.on(Ledger.RECEIVABLE)
        charge = Charge(
            charge_id=charge_id,
            what=what,
            amount=owed if owed >= LEAST else 0,
            state=ChargeState.ASKING if owed >= LEAST else ChargeState.COVERED,
            at=now,
            payment_id=f"{charge_id}-1",
            number=month.number if month else None,
            span=month.span if month else None,
            ask_at=now if owed >= LEAST else None,
        )
        return replace(self, charges=(*self.charges, charge))

    def _retried(self, charge: Charge, now: datetime) -> "Book":
        owed, attempt = self.on(Ledger.RECEIVABLE), charge.attempt + 1
        if owed < LEAST:
            covered = replace(charge, amount=0, state=ChargeState.COVERED)
            return self._with_charge(covered)._moved(BillingEvent.CHARGED)
        again = replace(
            charge,
            amount=owed,
            state=ChargeState.ASKING,
            attempt=attempt,
            payment_id=f"{charge.charge_id}-{attempt}",
            ask_at=now,
        )
        return self._with_charge(again)

    def _dunned(self, charge: Charge, now: datetime) -> "Book":
        rung = DUNNING[charge.rung]
        book = self._with_charge(replace(charge, rung=charge.rung + 1))._moved(rung.event)
        if rung.event is BillingEvent.T_NEXT_CHARGE:
            return book._retried(replace(charge, rung=charge.rung + 1), now)
        if rung.event is BillingEvent.T_DUNNING_BY:
            return book._saying(Said("BillingBlocked", {"contract_id": self.account.contract_id}))
        return book._with_charge(replace(charge, state=ChargeState.WRITTEN_OFF))._let_go(now)

    def _collected(self, charge: Charge, now: datetime) -> "Book":
        paid = replace(charge, state=ChargeState.PAID, ask_at=None, reason="")
        cause = f"payment/{charge.payment_id}"
        book = self._with_charge(paid)._moved(BillingEvent.CHARGED)
        book = book._posted(cause, charge.what, Ledger.CASH, Ledger.RECEIVABLE, charge.amount, now)
        return book._saying(_charge_news("ChargePaid", book, paid, _span_data(paid.span)))

    def _let_go(self, now: datetime) -> "Book":
        """What is owed and will not be paid."""
        cause = f"let_go/{self.account.version}"
        owed = self.on(Ledger.RECEIVABLE)
        return self._posted(cause, "written_off", Ledger.BAD_DEBT, Ledger.RECEIVABLE, owed, now)

    # -- what follows from all that is known ---------------------------------------------------------------

    def _followed(self, now: datetime) -> "Book":
        book = self._refused_back(now)
        if not book.first(News.PAID):
            return book
        book = book._opened(now)._with_lines(now)._started()
        if book.over:
            used = [each for each in book.months if book.stopped_at and each.span.from_at < book.stopped_at]
            for month in used:
                book = book._owing(month, now)
        book = book._credited(now)._earned(now)
        settle_at = book._settle_at()
        return book._settled(now) if settle_at and settle_at <= now else book

    def _refused_back(self, now: datetime) -> "Book":
        """Paid when nothing was for sale any more: all of it goes back."""
        book = self
        for each in self.all(News.PAYMENT_REFUSED):
            cause = f"payment/{each.payment_id}"
            if each.amount and not any(posting.cause == cause for posting in book.postings):
                book = book._posted(cause, What.FIRST_MONTH, Ledger.CASH, Ledger.RECEIVABLE, each.amount, now)
                book = book._promised(each.payment_id, each.amount, now)
        return book

    def _opened(self, now: datetime) -> "Book":
        paid = self.first(News.PAID)
        if paid is None or any(each.number == 0 for each in self.charges):
            return self
        first = Charge(
            charge_id=f"{self.account.contract_id}-0",
            what=What.FIRST_MONTH,
            amount=paid.amount,
            state=ChargeState.PAID,
            at=paid.told_at,
            payment_id=paid.payment_id,
            number=0,
        )
        book = replace(self, charges=(*self.charges, first))
        book = book._posted("fee/0", What.FIRST_MONTH, Ledger.RECEIVABLE, Ledger.DEFERRED, paid.amount, now)
        cause = f"payment/{paid.payment_id}"
        return book._posted(cause, What.FIRST_MONTH, Ledger.CASH, Ledger.RECEIVABLE, paid.amount, now)

    def _started(self) -> "Book":
        start = self.starts_at
        if start is None or not BILLING.allows(self.account.state, BillingEvent.ACCESS_PROVEN):
            return self
        data = {"contract_id": self.account.contract_id, "at": start}
        return self._moved(BillingEvent.ACCESS_PROVEN)._saying(Said("BillingStarted", data))

    def _with_lines(self, now: datetime) -> "Book":
        """The lines that came with facts, each posted once; those of an end that was taken back, reversed."""
        book = self
        for each in self.all(News.CANCELLED)[:1] + self.all(News.EXTRA, News.ENDING):
            book = book._posted_lines(each.id, each.lines, Ledger.SERVICES, now)
        for each in self.all(News.INSPECTED)[:1]:
            book = book._posted_lines(each.id, each.lines, Ledger.DAMAGES, now)
        for each in self.all(News.PARKING):
            last = [other for other in self.all(News.PARKING) if other.cause == each.cause][-1]
            accounts = Ledger.COMPENSATION, Ledger.RECEIVABLE
            book = book._adjusted(What.PARKING, each.cause, last.amount, *accounts, now)
        for each in self.all(News.ENDING):
            if each != self.ending:
                back = tuple(Line(line.what, -line.amount) for line in each.lines)
                book = book._posted_lines(f"{each.id}/back", back, Ledger.SERVICES, now)
        return book

    def _posted_lines(self, cause: str, lines: tuple[Line, ...], against: Ledger, now: datetime) -> "Book":
        book = self
        for number, line in enumerate(lines):
            other = AGAINST.get(line.what, against)
            key = f"line/{cause}/{number}"
            book = book._posted(key, line.what, other, Ledger.RECEIVABLE, line.amount, now)
        return book

    def _credited(self, now: datetime) -> "Book":
        """The gaps of each month, and its days after the return: what changed since the last time."""
        book = self
        for month in self._owed_months():
            gaps = month.fee - month.price(without(month.span, self._free(month)))
            unused = month.fee - month.price(self.billed(month)) - gaps
            accounts = Ledger.DEFERRED, Ledger.RECEIVABLE
            book = book._adjusted(What.GAP, month.number, gaps, *accounts, now)
            book = book._adjusted(What.UNUSED_DAYS, month.number, unused, *accounts, now)
        return book

    def _earned(self, now: datetime) -> "Book":
        book = self
        for month in self._owed_months():
            done = self.over or month.span.to_at <= now
            earned = month.price(self.billed(month)) if done else 0
            book = book._adjusted("earned", month.number, earned, Ledger.DEFERRED, Ledger.INCOME, now)
        return book

    def _owed_months(self) -> list[Month]:
        causes = {posting.cause for posting in self.postings}
        return [month for month in self.months if f"fee/{month.number}" in causes]

    def _adjusted(
        self, what: str, of: object, total: Won, debit: Ledger, credit: Ledger, now: datetime
    ) -> "Book":
        """So much is to have moved for `what` of this; what is missing of it is posted, or taken back."""
        name = f"{what}/{of}/"
        before = [each for each in self.postings if each.cause.startswith(name)]
        missing = total - sum(each.on(debit) for each in before)
        return self._posted(f"{name}{len(before)}", what, debit, credit, missing, now)

    # -- the settlement ------------------------------------------------------------------------------------

    def _settled(self, now: datetime) -> "Book":
        """Closes when nobody owes anybody anything; until then, asks for what is missing."""
        book, owed, charge = self, self.on(Ledger.RECEIVABLE), self.open_charge
        if charge:
            book = book._retried(charge, now)
        chargeable = book.account.state not in (Billing.NOT_STARTED, Billing.CLOSED)
        if owed > 0 and not (chargeable and owed >= LEAST):
            book = book._let_go(now)
        elif owed > 0:
            number = sum(each.what is What.SETTLEMENT for each in book.charges)
            charge_id = f"{book.account.contract_id}-settlement{number or ''}"
            return book._asked(charge_id, What.SETTLEMENT, now)
        elif owed < 0:
            book = book._paid_back(-owed, now)
        waiting = any(each.ask_at for each in book.refunds)
        return book if waiting or book.account.settled else book._closed(now)

    def _settle_at(self) -> datetime | None:
        """When nothing was heard for a while; not before the gateway has answered what it was asked."""
        owed, charge, heard_at = self.on(Ledger.RECEIVABLE), self.open_charge, self.account.heard_at
        asked = any(refund.state is RefundState.ASKING for refund in self.refunds)
        dunned = charge is not None and (charge.state is ChargeState.ASKING or owed >= LEAST)
        transfers = any(refund.state is RefundState.BY_HAND for refund in self.refunds)
        done = owed == 0 and (self.account.settled or transfers)
        return heard_at + QUIET if heard_at and self.over and not (asked or dunned or done) else None

    def _paid_back(self, amount: Won, now: datetime) -> "Book":
        """To the payments it came from, the latest first; what is more than they were, by hand."""
        book, left = self, amount
        payments = [each for each in self.charges if each.state is ChargeState.PAID and each.amount]
        for charge in reversed(payments):
            given = sum(each.amount for each in book.refunds if each.payment_id == charge.payment_id)
            part = min(left, charge.amount - given)
            if part > 0:
                book, left = book._promised(charge.payment_id, part, now), left - part
        return book._promised("", left, now) if left else book

    def _promised(self, payment_id: str, amount: Won, now: datetime) -> "Book":
        refund_id = f"{self.account.contract_id}-refund-{len(self.refunds) + 1}"
        state = RefundState.ASKING if payment_id else RefundState.BY_HAND
        refund = Refund(refund_id, payment_id, amount, state, at=now, ask_at=now)
        book = replace(self, refunds=(*self.refunds, refund))
        cause = f"refund/{refund_id}"
        book = book._posted(cause, What.REFUND, Ledger.RECEIVABLE, Ledger.REFUNDS_DUE, amount, now)
        return book if payment_id else book._by_hand(refund, now)

    def _by_hand(self, refund: Refund, now: datetime) -> "Book":
        data = {
            "contract_id": self.account.contract_id,
            "refund_id": refund.refund_id,
            "amount": refund.rest,
        }
        book = self._with_refund(replace(refund, ask_at=now + DAY))
        return book._saying(Said("TransferDue", data))

    def _refunds_due(self, now: datetime) -> list[Refund]:
        return [each for each in self.refunds if each.ask_at and each.ask_at <= now]

    def _closed(self, now: datetime) -> "Book":
        """Whatever comes now, no card is charged any more: it is forgotten."""
        kept = -self.on(Ledger.DEFERRED)
        book = self._posted("earned/rest", "earned", Ledger.DEFERRED, Ledger.INCOME, kept, now)
        if BILLING.allows(book.account.state, BillingEvent.ENDED):
            book = book._moved(BillingEvent.ENDED)
        data = {"contract_id": self.account.contract_id, "balance": book.on(Ledger.RECEIVABLE)}
        book = book._saying(Said("ContractSettled", data))
        return replace(book, account=replace(book.account, settled=True, card=None))

    # -- the timers ----------------------------------------------------------------------------------------

    def _timed(self) -> "Book":
        return replace(self, account=replace(self.account, due_at=min(self._timers(), default=None)))

    def _timers(self) -> list[datetime]:
        asks = [each.ask_at for each in self.charges if each.ask_at]
        asks += [each.ask_at for each in self.refunds if each.ask_at]
        charge, month, again = self.open_charge, self.next_month, self.account.again_at
        if charge and charge.state is ChargeState.DECLINED:
            asks.append(_rings(charge))
        if month and charge is None:
            asks.append(max(month.span.from_at, again) if again and self.gap_open else month.span.from_at)
        settle_at, start_by = self._settle_at(), self._start_by()
        if settle_at:
            asks.append(settle_at)
        if start_by:
            asks.append(max(start_by, again or start_by))
        return asks

    def _start_by(self) -> datetime | None:
        paid = self.first(News.PAID)
        waits = self.account.state is Billing.NOT_STARTED and not self.over
        return paid.until + START_BY if paid and paid.until and waits else None

    def _start_late(self, now: datetime) -> bool:
        start_by, again = self._start_by(), self.account.again_at
        return start_by is not None and max(start_by, again or start_by) <= now

    # -- the small steps -----------------------------------------------------------------------------------

    def _posted(
        self, cause: str, what: str, debit: Ledger, credit: Ledger, amount: Won, now: datetime
    ) -> "Book":
        """Below zero it goes the other way round."""
        if amount == 0 or any(each.cause == cause for each in self.postings):
            return self
        sides = (debit, credit) if amount > 0 else (credit, debit)
        return replace(self, postings=(*self.postings, Posting(cause, what, *sides, abs(amount), now)))

    def _moved(self, event: BillingEvent) -> "Book":
        state = BILLING.after(self.account.state, event)
        return replace(self, account=replace(self.account, state=state))

    def _again(self, now: datetime) -> "Book":
        return replace(self, account=replace(self.account, again_at=now + DAY))

    def _saying(self, *said: Said) -> "Book":
        return replace(self, said=(*self.said, *said))

    def _with_charge(self, charge: Charge) -> "Book":
        kept = tuple(charge if each.charge_id == charge.charge_id else each for each in self.charges)
        return replace(self, charges=kept)

    def _with_refund(self, refund: Refund) -> "Book":
        kept = tuple(refund if each.refund_id == refund.refund_id else each for each in self.refunds)
        return replace(self, refunds=kept)


def _rings(charge: Charge) -> datetime:
    return (charge.declined_at or charge.at) + DUNNING[charge.rung].after


def _gap_news(before: Book, after: Book) -> list[Said]:
    known, contract_id = set(before.gaps), after.account.contract_id
    began = {gap.from_at for gap in known}
    said = []
    for gap in after.gaps:
        if gap.from_at not in began:
            said.append(
                Said("GapOpened", {"contract_id": contract_id, "at": gap.from_at, "cause": gap.cause})
            )
        if gap.to_at and gap not in known:
            data = {"contract_id": contract_id, "from_at": gap.from_at, "to_at": gap.to_at}
            said.append(Said("GapClosed", data))
    return said


def _charge_news(name: str, book: Book, charge: Charge, more: dict[str, Any]) -> Said:
    data = {
        "contract_id": book.account.contract_id,
        "charge_id": charge.charge_id,
        "amount": charge.amount,
    }
    return Said(name, data | more)


def _span_data(span: Span | None) -> dict[str, datetime | None]:
    return {"period_from": span.from_at if span else None, "period_to": span.to_at if span else None}
