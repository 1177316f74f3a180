"""Requests and answers about the books, and the facts published and heard."""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.kernel.money import Entry
from chalicelib.ledger.model import (
    ROUNDING,
    Balance,
    Difference,
    Found,
    Look,
    Record,
    Refusal,
    Repair,
    Reserved,
    Run,
    Spent,
    Sponsor,
    Sponsored,
    Statement,
)

RUNS_IN_PAGE = 20
MOST_RUNS_IN_PAGE = 100

# The last group is for Python, whose `$` also matches before a line's end.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)")]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


# --- look-up -----------------------------------------------------------------------------------------------


class LegView(Struct, frozen=True):
    account: str
    amount: int


class EntryView(Struct, frozen=True):
    cause: str
    what: str
    at: datetime
    legs: list[LegView]

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        legs = [LegView(leg.account, leg.amount) for leg in entry.legs]
        return cls(entry.cause, entry.what, entry.at, legs)


class AttemptView(Struct, frozen=True):
    """A checkout, and every movement of it so far."""

    checkout_id: str
    customer_id: str
    order_id: str
    coupon_id: str | None
    campaign_id: str | None
    state: str
    reserved_at: datetime
    entries: list[EntryView]

    @classmethod
    def of(cls, record: Record) -> "AttemptView":
        return cls(
            record.checkout_id,
            record.customer_id,
            record.order_id,
            record.coupon_id,
            record.book if record.coupon_id else None,
            record.state,
            record.reserved_at,
            [EntryView.of(entry) for entry in record.entries],
        )


class RefusalsView(Struct, frozen=True):
    """The log was looked through back to `since`; not `complete` when there was more than one look reads."""

    since: datetime
    complete: bool


class LookupView(Struct, frozen=True):
    coupons: list[Found]
    attempts: list[AttemptView]
    refusals: list[Refusal]
    looked: RefusalsView
    points: Balance | None

    @classmethod
    def of(cls, look: Look) -> "LookupView":
        refused = look.refused
        return cls(
            list(look.coupons),
            [AttemptView.of(record) for record in look.attempts],
            list(refused.refusals),
            RefusalsView(refused.since, refused.complete),
            look.points,
        )


# --- reconciliation ----------------------------------------------------------------------------------------


class ReconciliationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """All books from their checkpoints on, or one campaign's from its beginning."""

    campaign_id: Annotated[str, Meta(max_length=64)] | None = None


class ReconciliationView(Struct, frozen=True):
    """`more`: differences beyond those that are named."""

    run_id: str
    campaign_id: str | None
    by: str
    at: datetime
    ended_at: datetime | None
    state: str
    checked: int
    differences: list[Difference]
    more: int

    @classmethod
    def of(cls, run: Run) -> "ReconciliationView":
        return cls(
            run.run_id,
            run.campaign_id,
            run.by,
            run.at,
            run.ended_at,
            run.state.value,
            run.checked,
            list(run.differences),
            run.more,
        )


class ReconciliationsView(Struct, frozen=True):
    """Newest first."""

    reconciliations: list[ReconciliationView]


class RepairRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`difference`: its place in the run's list, from 0."""

    run_id: Annotated[str, Meta(max_length=64)]
    difference: Annotated[int, Meta(ge=0, le=10**6)]
    reason: Text


class RepairView(Struct, frozen=True):
    """PROPOSED: another person must ask for it too; DONE."""

    repair_id: str
    run_id: str
    difference: int
    state: str
    proposed_by: str
    approved_by: str | None
    at: datetime

    @classmethod
    def of(cls, repair: Repair) -> "RepairView":
        return cls(
            repair.repair_id,
            repair.run_id,
            repair.number,
            repair.state.value,
            repair.proposed_by,
            repair.approved_by,
            repair.at,
        )


# --- settlement --------------------------------------------------------------------------------------------


class DayView(Struct, frozen=True):
    day: date
    captured: int
    refunded: int
    count: int

    @classmethod
    def of(cls, spent: Spent) -> "DayView":
        return cls(spent.day, spent.captured, spent.refunded, spent.count)


class SpendView(Struct, frozen=True):
    """By booking day in Seoul, oldest first; days without any are left out."""

    days: list[DayView]

    @classmethod
    def of(cls, days: tuple[Spent, ...]) -> "SpendView":
        return cls([DayView.of(each) for each in days])


class SponsorRequest(Struct, frozen=True, forbid_unknown_fields=True):
    sponsor_id: Name
    name: Annotated[str, Meta(min_length=1, max_length=80)]

    def sponsor(self) -> Sponsor:
        return Sponsor(self.sponsor_id, self.name)


class SponsorView(Struct, frozen=True):
    sponsor_id: str
    name: str

    @classmethod
    def of(cls, sponsor: Sponsor) -> "SponsorView":
        return cls(sponsor.sponsor_id, sponsor.name)


class PersonRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`subject`: the pool's `sub` of somebody in the group sponsor."""

    subject: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,128}$(?!\n)")]


class PersonView(Struct, frozen=True):
    sponsor_id: str
    subject: str


class SponsoredView(Struct, frozen=True):
    campaign_id: str
    name: str
    sponsor_percent: int
    created_at: datetime

    @classmethod
    def of(cls, campaign: Sponsored) -> "SponsoredView":
        return cls(campaign.campaign_id, campaign.name, campaign.percent, campaign.created_at)


class SponsoredListView(Struct, frozen=True):
    """Newest first."""

    campaigns: list[SponsoredView]


class PeriodView(Struct, frozen=True):
    period: str
    preliminary: bool


class PeriodsView(Struct, frozen=True):
    """Newest first."""

    periods: list[PeriodView]

    @classmethod
    def of(cls, periods: list[tuple[str, bool]]) -> "PeriodsView":
        return cls([PeriodView(period, not closed) for period, closed in periods])


class LineView(Struct, frozen=True):
    campaign_id: str
    day: date
    captured: int
    refunded: int
    net: int
    count: int
    share: int


class SumsView(Struct, frozen=True):
    captured: int
    refunded: int
    net: int
    count: int
    share: int


class SettlementView(Struct, frozen=True):
    """`digest`: SHA-256 of the CSV, which is the same for ever once the period is closed."""

    sponsor_id: str
    period: str
    preliminary: bool
    lines: list[LineView]
    sums: SumsView
    rounding: str
    digest: str

    @classmethod
    def of(cls, statement: Statement) -> "SettlementView":
        lines = [
            LineView(
                line.campaign_id,
                line.day,
                line.captured,
                line.refunded,
                line.net,
                line.count,
                line.share,
            )
            for line in statement.lines
        ]
        return cls(
            statement.sponsor_id,
            statement.period,
            statement.preliminary,
            lines,
            SumsView(**statement.sums),
            ROUNDING,
            statement.digest,
        )


# --- facts -------------------------------------------------------------------------------------------------


class CheckoutReserved(Struct, frozen=True):
    """Heard."""

    checkout_id: str
    order_id: str
    customer_id: str
    coupon_id: str | None
    campaign_id: str | None
    split: tuple[tuple[int, int], ...]
    points_used: int

    def reserved(self, at: datetime) -> Reserved:
        return Reserved(
            self.checkout_id,
            self.order_id,
            self.customer_id,
            self.coupon_id,
            self.campaign_id,
            self.split,
            self.points_used,
            at,
        )


class CampaignCreated(Struct, frozen=True):
    """Heard."""

    campaign_id: str
    name: str
    sponsor_id: str | None = None
    sponsor_percent: int = 100

    def campaign(self, at: datetime) -> Sponsored:
        return Sponsored(self.campaign_id, self.name, self.sponsor_id, self.sponsor_percent, at)


class ReconciliationRequested(Struct, frozen=True):
    """Published, and heard by ourselves."""

    run_id: str


class ReconciliationFailed(Struct, frozen=True):
    """Published: a reconciliation ended with differences."""

    run_id: str
    campaign_id: str | None
    differences: int
