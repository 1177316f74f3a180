"""What this context reads and answers over HTTP, and the data of the facts it publishes and hears."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct
from msgspec.structs import replace

from chalicelib.billing.model import (
    Billing,
    Book,
    Card,
    CardChanged,
    Heard,
    Ledger,
    Line,
    News,
    Refund,
    RefundState,
    Term,
    What,
)
from chalicelib.kernel.facts import Fact

Fault = Literal["ours", "customer"]
OURS: Fault = "ours"
Moment = Annotated[datetime, Meta(tz=True)]


class PaymentMethodRequest(Struct, frozen=True):
    """`card_token`: made from the card by the gateway, in the browser."""

    card_token: Annotated[str, Meta(pattern=r"\S", max_length=200)]


class CardView(Struct, frozen=True):
    brand: str
    last4: str

    @classmethod
    def of(cls, card: Card | None) -> "CardView | None":
        return cls(card.brand, card.last4) if card else None


class PaymentMethodView(Struct, frozen=True):
    """`state`: of billing, once the new card was asked for what is overdue."""

    card: CardView
    state: Billing

    @classmethod
    def of(cls, changed: CardChanged) -> "PaymentMethodView":
        return cls(CardView(changed.brand, changed.last4), changed.state)


class ChargeView(Struct, frozen=True):
    """`amount`: what the card pays; what it gets back is below zero, and its `what` is refund."""

    charge_id: str
    what: str
    at: datetime
    amount: int
    state: str


class RefundView(Struct, frozen=True):
    refund_id: str
    amount: int
    state: RefundState

    @classmethod
    def of(cls, refund: Refund) -> "RefundView":
        return cls(refund.refund_id, refund.rest, refund.state)


class GapView(Struct, frozen=True):
    """Time that is not charged; open while `to_at` is null."""

    from_at: datetime
    to_at: datetime | None
    cause: str


class PaymentsView(Struct, frozen=True):
    """`balance`: above zero comes back to the customer, below zero is owed. Charges are oldest first."""

    billing: Billing
    card: CardView | None
    next_charge_at: datetime | None
    balance: int
    charges: list[ChargeView]
    gaps: list[GapView]

    @classmethod
    def of(cls, book: Book) -> "PaymentsView":
        month = book.next_month
        charges = [
            ChargeView(each.charge_id, each.what, each.at, each.amount, each.state) for each in book.charges
        ]
        charges += [
            ChargeView(each.refund_id, What.REFUND, each.at, -each.amount, each.state)
            for each in book.refunds
        ]
        return cls(
            billing=book.account.state,
            card=CardView.of(book.account.card),
            next_charge_at=month.span.from_at if month else None,
            balance=-book.on(Ledger.RECEIVABLE),
            charges=sorted(charges, key=lambda each: each.at),
            gaps=[GapView(gap.from_at, gap.to_at, gap.cause) for gap in book.gaps],
        )


# ---- facts that are heard --------------------------------------------------------------------------------


class LineData(Struct, frozen=True):
    what: str
    amount: int

    def line(self) -> Line:
        return Line(self.what, self.amount)


class Consumed(Protocol):
    """One shape of a fact's data, as billing reads it."""

    @property
    def contract_id(self) -> str: ...

    def heard(self, fact: Fact) -> Heard: ...


def _heard(fact: Fact, news: News, at: datetime | None = None) -> Heard:
    return Heard(fact.id, news, at=at or fact.at, told_at=fact.at)


def _lines(lines: list[LineData]) -> tuple[Line, ...]:
    return tuple(each.line() for each in lines)


class ContractPaid(Struct, frozen=True):
    """Heard from contracts. `amount`: what was really paid for the first month."""

    contract_id: str
    customer_id: str
    monthly_fee: int
    months: int
    amount: int
    handover_at: Moment
    checkout_id: str
    payment_id: str | None = None

    def heard(self, fact: Fact) -> Heard:
        return replace(
            _heard(fact, News.PAID),
            customer_id=self.customer_id,
            payment_id=self.payment_id or self.checkout_id,
            amount=self.amount,
            term=Term(self.months, self.monthly_fee),
            until=self.handover_at,
        )


class ContractPaymentRefused(Struct, frozen=True):
    """Heard from contracts: paid when nothing was for sale any more."""

    contract_id: str
    checkout_id: str
    amount: int
    payment_id: str | None = None

    def heard(self, fact: Fact) -> Heard:
        payment_id = self.payment_id or self.checkout_id
        return replace(_heard(fact, News.PAYMENT_REFUSED), payment_id=payment_id, amount=self.amount)


class ContractCancelled(Struct, frozen=True):
    """Heard from contracts; before the handover."""

    contract_id: str
    lines: list[LineData] = []

    def heard(self, fact: Fact) -> Heard:
        return replace(_heard(fact, News.CANCELLED), lines=_lines(self.lines))


class ContractActivated(Struct, frozen=True):
    """Heard from contracts; billing starts at the later of the two."""

    contract_id: str
    handed_over_at: Moment
    access_proven_at: Moment

    def heard(self, fact: Fact) -> Heard:
        starts_at = max(self.handed_over_at, self.access_proven_at)
        return replace(_heard(fact, News.ACTIVATED, starts_at), until=self.access_proven_at)


class AccessLost(Struct, frozen=True):
    """Heard from contracts."""

    contract_id: str
    at: Moment
    fault: Fault
    cause: str = ""

    def heard(self, fact: Fact) -> Heard:
        ours = self.fault == OURS
        return replace(_heard(fact, News.ACCESS_LOST, self.at), ours=ours, cause=self.cause)


class AccessRestored(Struct, frozen=True):
    """Heard from contracts."""

    contract_id: str
    at: Moment

    def heard(self, fact: Fact) -> Heard:
        return _heard(fact, News.ACCESS_RESTORED, self.at)


class SwapRequested(Struct, frozen=True):
    """Heard from contracts. A car that is swapped through our fault is as good as none until it is done."""

    contract_id: str
    fault: Fault
    at: Moment | None = None

    def heard(self, fact: Fact) -> Heard:
        ours = self.fault == OURS
        return replace(_heard(fact, News.SWAP_BEGUN, self.at), ours=ours, cause="swap")


class SwapDone(Struct, frozen=True):
    """Heard from contracts, also as SwapWithdrawn."""

    contract_id: str
    at: Moment | None = None

    def heard(self, fact: Fact) -> Heard:
        return _heard(fact, News.SWAP_OVER, self.at)


class ContractRenewed(Struct, frozen=True):
    """Heard from contracts. `months` and `monthly_fee` of what was added."""

    contract_id: str
    months: int
    monthly_fee: int

    def heard(self, fact: Fact) -> Heard:
        return replace(_heard(fact, News.RENEWED), term=Term(self.months, self.monthly_fee))


class ContractEnding(Struct, frozen=True):
    """Heard from contracts."""

    contract_id: str
    ends_at: Moment
    lines: list[LineData] = []

    def heard(self, fact: Fact) -> Heard:
        return replace(_heard(fact, News.ENDING), until=self.ends_at, lines=_lines(self.lines))


class ContractUncancelled(Struct, frozen=True):
    """Heard from contracts: the latest ending is taken back."""

    contract_id: str

    def heard(self, fact: Fact) -> Heard:
        return _heard(fact, News.UNCANCELLED)


class ContractReturned(Struct, frozen=True):
    """Heard from contracts."""

    contract_id: str
    at: Moment

    def heard(self, fact: Fact) -> Heard:
        return _heard(fact, News.RETURNED, self.at)


class ContractInspected(Struct, frozen=True):
    """Heard from contracts. Each charge is owed."""

    contract_id: str
    charges: list[LineData] = []

    def heard(self, fact: Fact) -> Heard:
        owed = tuple(Line(each.what, -each.amount) for each in self.charges)
        return replace(_heard(fact, News.INSPECTED), lines=owed)


class ContractTerminated(Struct, frozen=True):
    """Heard from contracts: the car never came back."""

    contract_id: str

    def heard(self, fact: Fact) -> Heard:
        return _heard(fact, News.TERMINATED)


class AppointmentMoved(Struct, frozen=True):
    """Heard from appointments. `lines`: what moving it costs, mostly nothing."""

    contract_id: str
    lines: list[LineData] = []

    def heard(self, fact: Fact) -> Heard:
        return replace(_heard(fact, News.EXTRA), lines=_lines(self.lines))


class LockoutEnded(Struct, frozen=True):
    """Heard from appointments. Told again when later news corrects it: the last amount counts."""

    contract_id: str
    appointment_id: str
    parking_cost: int
    parked_at: str = ""

    def heard(self, fact: Fact) -> Heard:
        lockout = f"{self.appointment_id}@{self.parked_at}"
        return replace(_heard(fact, News.PARKING), amount=self.parking_cost, cause=lockout)


CONSUMED: dict[str, type[Consumed]] = {
    "ContractPaid": ContractPaid,
    "ContractPaymentRefused": ContractPaymentRefused,
    "ContractCancelled": ContractCancelled,
    "ContractActivated": ContractActivated,
    "AccessLost": AccessLost,
    "AccessRestored": AccessRestored,
    "SwapRequested": SwapRequested,
    "SwapDone": SwapDone,
    "SwapWithdrawn": SwapDone,
    "ContractRenewed": ContractRenewed,
    "ContractEnding": ContractEnding,
    "ContractUncancelled": ContractUncancelled,
    "ContractReturned": ContractReturned,
    "ContractInspected": ContractInspected,
    "ContractTerminated": ContractTerminated,
    "AppointmentMoved": AppointmentMoved,
    "LockoutEnded": LockoutEnded,
}


def heard(fact: Fact) -> tuple[str, Heard]:
    """Whose account it is about, and what it means there."""
    data: Consumed = fact.data_as(CONSUMED[fact.type])  # type: ignore[type-var]
    return data.contract_id, data.heard(fact)


# ---- facts that are published ----------------------------------------------------------------------------


class BillingStarted(Struct, frozen=True):
    """Published when billing starts: at the later of handover and first proven access."""

    contract_id: str
    at: datetime


class BillingStartLate(Struct, frozen=True):
    """Published when a paid contract has not started a week after its agreed handover, and daily after."""

    contract_id: str


class ChargePaid(Struct, frozen=True):
    """Published when a month, or a settlement (without a period), was paid by the card."""

    contract_id: str
    charge_id: str
    amount: int
    period_from: datetime | None
    period_to: datetime | None


class ChargeFailed(Struct, frozen=True):
    """Published for every attempt the card declined."""

    contract_id: str
    charge_id: str
    amount: int
    attempt: int
    reason: str


class BillingBlocked(Struct, frozen=True):
    """Published when a charge stayed unpaid to the end of the dunning ladder."""

    contract_id: str


class RefundPaid(Struct, frozen=True):
    """Published when the gateway has confirmed a refund. `amount`: without what operations had given back
    before."""

    contract_id: str
    refund_id: str
    amount: int


class TransferDue(Struct, frozen=True):
    """Published when no card takes a refund and operations must transfer it; daily until they have."""

    contract_id: str
    refund_id: str
    amount: int


class PaymentMethodChanged(Struct, frozen=True):
    """Published when a new, verified card has taken the old one's place."""

    contract_id: str


class GapOpened(Struct, frozen=True):
    """Published when time begins that is not charged."""

    contract_id: str
    at: datetime
    cause: str


class GapClosed(Struct, frozen=True):
    """Published when that time is over; again when later news moved its end."""

    contract_id: str
    from_at: datetime
    to_at: datetime


class ContractSettled(Struct, frozen=True):
    """Published when the ledger of a contract that is over sums to zero: the balance is always 0."""

    contract_id: str
    balance: int
