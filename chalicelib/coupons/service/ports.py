"""What the use cases need of others, and what each promises."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from chalicelib.coupons.model import (
    Asked,
    Batch,
    Campaign,
    Change,
    Coupon,
    Grant,
    Record,
    Snapshot,
    State,
    Switch,
    Voided,
)
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Entry, Won
from chalicelib.kernel.tables import Write


class Store(Protocol):
    """Every method is one call and happens entirely or not at all; reads are strongly consistent but `owned`.

    `asked` is written with the change: AlreadyDone, with nothing changed, when a row of that id is there.
    """

    # --- campaigns: methods with `write` only add clauses to a transaction ----------------------------------

    def create(self, write: Write, campaign: Campaign, budgets: Sequence[Won], fact: Fact) -> None:
        """AlreadyDone when a campaign of that id exists."""

    def campaign(self, campaign_id: str) -> Campaign | None: ...

    def recent(self, limit: int, after: str | None) -> tuple[list[str], str | None]:
        """Ids of campaigns, newest first, and where to go on, None at the end."""

    def snapshot(self, campaign: Campaign) -> Snapshot:
        """Serializable: the campaign and its shards at one instant. Conflicted when writers held a row."""

    def switch(self, write: Write, campaign: Campaign, state: Switch) -> None:
        """Every shard in use. CampaignMoved when it was switched or merged since."""

    def top_up(
        self, write: Write, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        """Over all shards, merged or not, and forgets `left`. AlreadyDone when it was made; CampaignMoved."""

    def cut(
        self, write: Write, campaign: Campaign, change: Change, parts: Sequence[Won], asked: Asked
    ) -> None:
        """AlreadyDone when it was made; CampaignMoved; ShardShort when a shard has less available."""

    def change(self, campaign_id: str, name: str) -> Change | None: ...

    def merge(self, write: Write, seen: Snapshot) -> None:
        """All of an open budget into its first shard. CampaignMoved unless everything is as it was seen."""

    def note_left(self, campaign: Campaign, left: Won) -> bool:
        """Best effort, and never after a top-up that `campaign` has not seen. True when it was written."""

    def forget_left(self, campaign_id: str) -> None: ...

    def bind(self, write: Write, campaign: Campaign, amount: Won, count: int) -> None:
        """For that many coupons, or below 0 back from them. BudgetTooSmall, with the most that fits;
        CampaignClosed; NotBound when less is bound than is to come back."""

    def take_back(self, write: Write, coupon: Coupon, after: State) -> None:
        """Nothing is bound for it any more. NotBound unless it is as it was seen."""

    def reclaimable(self, until: datetime, limit: int) -> list[tuple[str, datetime, str]]:
        """Campaigns that may have money bound for coupons nobody can use, when they were due, and the place
        to go on from."""

    def reclaim_at(self, write: Write, campaign_id: str, at: datetime, place: str = "") -> None: ...

    def reclaimed(self, write: Write, campaign_id: str, due: datetime) -> None: ...

    def coupons_of(self, hashes: Sequence[str]) -> list[Coupon]:
        """At most 100, those that there are."""

    def uses_of(self, campaign_id: str, customer_ids: Sequence[str]) -> dict[str, int]:
        """At most 100, those that have ever used one."""

    def repair(self, write: Write, campaign_id: str, shard: int, pot: str, found: Won, amount: Won) -> None:
        """NotAsFound unless the pot holds what was found."""

    def asked(self, request_id: str) -> Asked | None: ...

    # --- codes ---------------------------------------------------------------------------------------------

    def request(self, write: Write, batch: Batch, customers: Sequence[str], asked: Asked, fact: Fact) -> None:
        """Adds the batch, and for whom it is. AlreadyDone when there is one of that name."""

    def batch(self, campaign_id: str, batch_id: str) -> Batch | None: ...

    def batches(self, campaign_id: str, limit: int, after: str | None) -> tuple[list[Batch], str | None]:
        """By name, after that one; and the name to go on after, None at the end."""

    def targets(self, batch: Batch) -> Sequence[str]: ...

    def issue(self, batch: Batch, coupons: Sequence[Coupon], facts: Sequence[Fact], at: datetime) -> None:
        """The coupons, numbered on from `batch.issued`, and the batch's progress; BatchMoved when that is not
        as it was seen, CodeTaken when a coupon of that hash exists."""

    def tell(self, fact: Fact) -> None: ...

    def void_batch(self, write: Write, batch: Batch, done: Voided, asked: Asked, fact: Fact) -> None:
        """Adds that it is to be void. AlreadyDone; BatchMoved unless it is as it was seen."""

    def void_some(
        self, write: Write, batch: Batch, seen: int, coupons: Sequence[Coupon], done: Voided
    ) -> None:
        """Adds those coupons' end, and that so many more are seen to. BatchMoved; CouponMoved."""

    def issued(self, campaign_id: str) -> int:
        """In all its batches, and taken by customers."""

    def registered(self, campaign_id: str) -> int:
        """How many have come into a box, however they did."""

    def downloads(
        self, campaign_id: str, lane: int, limit: int, after: str | None
    ) -> tuple[list[str], str | None]:
        """Hashes of coupons that customers took, of one of sixteen lanes; and the hash to go on after."""

    # --- customers -----------------------------------------------------------------------------------------

    def coupon(self, code_hash: str) -> Coupon | None: ...

    def look(self, code_hash: str, customer_id: str) -> tuple[Coupon | None, frozenset[str]]:
        """The coupon, and the customer's groups."""

    def standing(self, customer_id: str, hashes: Sequence[str]) -> tuple[list[Coupon | None], frozenset[str]]:
        """The coupons, at most 99, and the customer's groups."""

    def count_try(self, customer_id: str, near: str | None, at: datetime) -> None:
        """TooManyCodes when too many of the customer's were counted lately and not forgiven, or from that
        address too many failed."""

    def count_failure(self, near: str, at: datetime) -> None: ...

    def forgive_try(self, customer_id: str, at: datetime) -> None: ...

    def take(self, write: Write, coupon: Coupon, batch_id: str, at: datetime) -> None:
        """Adds a new coupon to its owner's box. AlreadyDone when it is there."""

    def offered(self, at: datetime, limit: int) -> list[str]:
        """Ids of campaigns whose coupons may be taken and that do not end before; may lag a moment."""

    def change_group(self, name: str, customers: Sequence[str], *, joins: bool) -> None:
        """At most 100. TooManyGroups, and nothing changed, when one of them is in many already."""

    def groups(self, customers: Sequence[str]) -> dict[str, frozenset[str]]: ...

    def record(self, code_hash: str) -> Record | None: ...

    def records(self, owner: str, limit: int, after: str | None) -> tuple[list[Record], str | None]:
        """As `owned`."""

    def void(self, write: Write, coupon: Coupon, done: Voided, asked: Asked, fact: Fact) -> None:
        """Adds it. AlreadyDone; CouponMoved unless the coupon is as it was seen."""

    def register(self, coupon: Coupon, asked: Asked, at: datetime) -> None:
        """Also forgives the try. AlreadyDone when it is this owner's already, CodeRefused when not free."""

    def owned(self, owner: str, limit: int, after: str | None) -> tuple[list[Coupon], str | None]:
        """By coupon id, after that one; and the id to go on after, None at the end. May lag a moment."""

    # --- for the checkout: all add clauses -----------------------------------------------------------------

    def hold(self, write: Write, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        """The coupon out of its owner's box, the owner's count if limited, the shards' parts. Refused
        in this order: UnknownCoupon, CouponUsed or CouponVoid, UserLimitReached; then CampaignPaused,
        CampaignClosed or ShardShort."""

    def capture(self, write: Write, campaign: Campaign, used: Coupon, grant: Grant) -> None:
        """NotHeld, NotBound."""

    def release(
        self, write: Write, campaign: Campaign, used: Coupon, grant: Grant, into: int | None, after: State
    ) -> None:
        """`into` None leaves with the coupon what was bound for it. NotHeld unless that checkout uses
        it; CouponDoomed when its batch is void and money were to stay with it; ShardMerged."""

    def refund(
        self,
        write: Write,
        campaign: Campaign,
        used: Coupon,
        back: Grant,
        into: int | None,
        after: State | None,
    ) -> None:
        """`after`: what the coupon then is, None while some of it stays spent. As `release`."""


class Books(Protocol):
    def post(self, write: Write, entry: Entry) -> None:
        """Adds the entry to the transaction."""
