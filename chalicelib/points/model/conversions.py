"""Points on their way to a partner's loyalty programme.

The points leave the wallet first, under an id that the partner then knows the transfer by. So whatever breaks
off, they are never in both places, and whoever goes on asks the partner what became of that id.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.states import Table
from chalicelib.points.model.errors import NotConvertible, UnknownPartner
from chalicelib.points.model.wallet import Draw, Lots

LEAST = 1_000
MOST = 1_000_000
FIRST_ASK = timedelta(minutes=1)
"""Longer than the request that began it can live."""
RAREST_ASK = timedelta(hours=1)
LAST_SENT = 5
"""The last rung on which a transfer the partner never heard of is sent again. What it has not heard of after
the next rung, an hour later, came to nothing: nothing can be under way any more."""
NO_ANSWER = "no_answer"
SHOWN_OF_ACCOUNT = 4


class Partner(Struct, frozen=True):
    """For every `takes` of our points its member gets `gives` of the partner's."""

    partner_id: str
    ko: str
    en: str
    takes: int
    gives: int

    def worth(self, points: int) -> int:
        """In its own. NotConvertible unless it takes just so many."""
        if not LEAST <= points <= MOST or points % self.takes:
            raise NotConvertible(takes=self.takes, least=LEAST, most=MOST)
        return points // self.takes * self.gives


PARTNERS = {
    each.partner_id: each
    for each in (
        Partner("hanbit", "한빛멤버십", "Hanbit Membership", takes=1, gives=1),
        Partner("sora", "소라마일", "Sora Miles", takes=20, gives=1),
        Partner("dure", "두레장터", "Dure Market", takes=100, gives=80),
    )
}


def partner_named(partner_id: str) -> Partner:
    if partner_id not in PARTNERS:
        raise UnknownPartner()
    return PARTNERS[partner_id]


class Who(StrEnum):
    PARTNER = "partner"


class ConversionState(StrEnum):
    PENDING = "PENDING"
    DONE = "DONE"
    REFUSED = "REFUSED"


class ConversionEvent(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"


CONVERSIONS = Table(
    # where it stands    what happens              where it then stands     who may say so
    (ConversionState.PENDING, ConversionEvent.ACCEPTED, ConversionState.DONE, {Who.PARTNER}),
    (ConversionState.PENDING, ConversionEvent.REFUSED, ConversionState.REFUSED, {Who.PARTNER}),
)


class Wish(Struct, frozen=True):
    """`account`: the member's number at the partner. `request` is the fingerprint of the body."""

    partner_id: str
    account: str
    points: int
    request: str


class Conversion(Struct, frozen=True):
    """Its id comes from its owner's Idempotency-Key. `account`: the member's number at the partner, whole
    only while it is open. `gives`: what the partner is asked for, in its own points. `lots` go back where
    they came from when the partner refuses."""

    conversion_id: str
    customer_id: str
    partner_id: str
    account: str
    points: int
    gives: int
    request: str
    asked_at: datetime
    lots: Lots = ()
    state: ConversionState = ConversionState.PENDING
    rung: int = 0
    due_at: datetime | None = None
    reason: str | None = None

    @property
    def draw(self) -> Draw:
        return Draw(self.points, self.lots)

    @property
    def open(self) -> bool:
        return self.due_at is not None

    @property
    def may_be_sent(self) -> bool:
        return self.rung <= LAST_SENT

    @property
    def lost(self) -> bool:
        """If the partner has not heard of it by now."""
        return self.rung > LAST_SENT + 1

    @property
    def account_shown(self) -> str:
        return "*" * max(0, len(self.account) - SHOWN_OF_ACCOUNT) + self.account[-SHOWN_OF_ACCOUNT:]

    def drawn(self, draw: Draw) -> "Conversion":
        return replace(self, lots=draw.lots, due_at=self.asked_at + FIRST_ASK)

    def done(self) -> "Conversion":
        return self._ended(ConversionEvent.ACCEPTED)

    def refused(self, reason: str) -> "Conversion":
        return replace(self._ended(ConversionEvent.REFUSED), reason=reason)

    def rung_at(self, at: datetime) -> "Conversion":
        rung = self.rung + 1
        return replace(self, rung=rung, due_at=at + min(FIRST_ASK * (1 << min(rung, 10)), RAREST_ASK))

    def _ended(self, event: ConversionEvent) -> "Conversion":
        after = CONVERSIONS.after(self.state, event)
        return replace(self, state=after, due_at=None, account=self.account_shown)
