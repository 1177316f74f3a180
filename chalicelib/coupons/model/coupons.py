"""One coupon's life, and what its owner sees of it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.coupons.model.budget import Campaign, Switch
from chalicelib.coupons.model.codes import Voided
from chalicelib.coupons.model.errors import CodeRefused, CouponUsed, CouponVoid, UnknownCoupon
from chalicelib.coupons.model.terms import Terms
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import Table


class Asked(Struct, frozen=True):
    """A keyed request, kept beside what it did, to tell its retry from another use of its key."""

    request_id: str
    what: str


class State(StrEnum):
    ISSUED = "ISSUED"
    REGISTERED = "REGISTERED"
    USED = "USED"
    VOID = "VOID"


class Event(StrEnum):
    REGISTER = "register"
    REDEEM = "redeem"
    GIVE_BACK = "give_back"
    VOID = "void"
    EXPIRE = "expire"


class Role(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    SYSTEM = "system"


LIFE = Table(
    (State.ISSUED, Event.REGISTER, State.REGISTERED, {Role.CUSTOMER, Role.SYSTEM}),
    (State.REGISTERED, Event.REDEEM, State.USED, {Role.CUSTOMER}),
    # Its checkout was cancelled or expired, or all it took off is given back: before the campaign's end, or
    # after it.
    (State.USED, Event.GIVE_BACK, State.REGISTERED, {Role.CUSTOMER, Role.OPS, Role.SYSTEM}),
    (State.USED, Event.EXPIRE, State.VOID, {Role.CUSTOMER, Role.OPS, Role.SYSTEM}),
    (State.ISSUED, Event.VOID, State.VOID, {Role.OPS, Role.SYSTEM}),
    (State.REGISTERED, Event.VOID, State.VOID, {Role.OPS, Role.SYSTEM}),
)


class Coupon(Struct, frozen=True):
    """One code's life. The coupon's id carries the campaign's: a checkout knows whose budget pays unread.

    `worth` is what is bound for it, where the budget is bound at issue. `doomed`: its batch was made void
    while a checkout had it, and what that gives back can be used no more.
    """

    campaign_id: str
    code_hash: str
    state: State = State.ISSUED
    owner: str | None = None
    used_by: str | None = None
    worth: Won | None = None
    doomed: bool = False

    @property
    def coupon_id(self) -> str:
        return f"{self.campaign_id}.{self.code_hash}"

    def registered(self, owner: str) -> "Coupon":
        """CodeRefused, alike for used and foreign ones; its owner's is only asked for once more."""
        if not LIFE.allows(self.state, Event.REGISTER) and self != self.owned_by(owner):
            why = "FOREIGN" if self.state is State.REGISTERED else self.state.value
            raise CodeRefused(why, self.coupon_id)
        return self.owned_by(owner)

    def refuse_void(self) -> None:
        """CouponUsed: what a checkout has taken is given back first. CouponVoid."""
        if not LIFE.allows(self.state, Event.VOID):
            raise CouponVoid() if self.state is State.VOID else CouponUsed()

    def owned_by(self, owner: str) -> "Coupon":
        """As it is in its owner's box before it is used."""
        return replace(self, state=State.REGISTERED, owner=owner, used_by=None)

    def idle(self, terms: Terms) -> bool:
        """After its campaign's end: something is bound for it that no checkout holds. A used coupon that has
        less than its value was paid with, and what is bound is the rest."""
        return bool(self.worth) and (self.state is not State.USED or (self.worth or 0) < terms.value)

    @property
    def ended(self) -> State:
        return self.state if self.state is State.USED else State.VOID

    def hidden(self, campaign: Campaign) -> bool:
        """From its owner's box: nothing is left that it could be used for."""
        return self.state is State.REGISTERED and campaign.seems_exhausted


class Boxed(Struct, frozen=True):
    """A coupon as its owner sees it at a moment."""

    coupon: Coupon
    campaign: Campaign
    at: datetime

    @property
    def terms(self) -> Terms:
        return self.campaign.terms

    @property
    def why_not(self) -> str | None:
        """Why it cannot be used now; the first that fits."""
        words = (
            ("used", self.coupon.state is State.USED),
            ("void", self.coupon.state is State.VOID or self.coupon.doomed),
            ("expired", self.campaign.over(self.at)),
            ("not_yet", not self.terms.opened(self.at)),
            ("paused", self.campaign.state is Switch.PAUSED),
        )
        return next((word for word, fits in words if fits), None)


class Offered(Struct, frozen=True):
    """A campaign whose coupon a customer may take, or has taken."""

    campaign: Campaign
    mine: bool


class Gift(Struct, frozen=True):
    """A coupon in somebody's box, as it is told of: won or percent, and its last moment."""

    customer_id: str
    code: str
    amount: Won | None
    percent: int | None
    until: datetime | None


class Told(Struct, frozen=True):
    """How many of those who were given a coupon have a text of it, or will, or for which reason will not."""

    sent: int
    waiting: int
    refused: dict[str, int]


class Record(Struct, frozen=True):
    """All that is known of a coupon. `batch_id`: DOWNLOADS for one its owner took. `tried`: some of the
    checkouts that used it, the latest of each of sixteen kinds."""

    coupon: Coupon
    batch_id: str | None = None
    number: int | None = None
    registered_at: datetime | None = None
    tried: tuple[str, ...] = ()
    voided: Voided | None = None


def parts_of(coupon_id: str) -> tuple[str, str]:
    """The campaign's id and the code's hash."""
    campaign_id, dot, code = coupon_id.partition(".")
    if not dot:
        raise UnknownCoupon()
    return campaign_id, code
