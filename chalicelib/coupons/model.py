"""What a campaign promises, how its budget is cut into shards, and how its codes are spelt."""

import hashlib
import hmac
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.errors import Conflict, NotFound, Refused, TooMany
from chalicelib.kernel.money import Won, percent_of
from chalicelib.kernel.states import Table


class UnknownCampaign(NotFound):
    """There is no such campaign."""


class UnknownBatch(NotFound):
    """There is no such batch of codes."""


class UnknownCoupon(NotFound):
    """You have no such coupon."""


class NotOffered(Refused):
    """This is not offered yet."""


class CampaignNotOpen(Refused):
    """This campaign has not opened yet."""


class CampaignClosed(Refused):
    """This campaign is closed."""


class CampaignPaused(Refused):
    """This campaign is paused."""


class BudgetExhausted(Refused):
    """The campaign's budget is spent."""


class OrderTooSmall(Refused):
    """The order is below the coupon's minimum."""


class NothingToDiscount(Refused):
    """The coupon takes nothing off this order."""


class CouponUsed(Refused):
    """This coupon is used."""


class UserLimitReached(Refused):
    """You have used this campaign's coupons as often as it allows."""


class CodeRefused(Refused):
    """This code cannot be registered."""


class BatchDiffers(Refused):
    """A batch of that name was asked for with another count."""


class TopUpDiffers(Refused):
    """A top-up of that name was made with another amount."""


class TooManyCodes(TooMany):
    """Too many wrong codes; wait a moment."""


class ShardShort(Conflict):
    """One shard of the budget holds less than was asked: of the whole budget it says nothing."""


class BatchNotDone(Conflict):
    """These codes are still being issued."""


class BatchMoved(Conflict):
    """Another run is further on with this batch."""


class CodeTaken(Conflict):
    """A new code has the hash of one that was issued before."""


class AlreadyDone(Conflict):
    """This was written before: by the same request, or by another under the same name."""


# --- terms -------------------------------------------------------------------------------------------------


class Kind(StrEnum):
    FIXED = "fixed"
    PERCENT = "percent"


class ReserveAt(StrEnum):
    """When the budget is bound: as the coupon is used, or already as it is issued."""

    REDEEM = "redeem"
    ISSUE = "issue"


KINDS_OF_LINE = frozenset({"contract_fee", "service"})


class Terms(Struct, frozen=True):
    """What a coupon of the campaign is worth; never changed after the campaign is made.

    `value` is won or whole percent. `scope` holds the kinds of order line it applies to.
    """

    name: str
    kind: Kind
    value: int
    max_discount: Won | None = None
    min_order: Won = 0
    per_user_limit: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    scope: frozenset[str] = KINDS_OF_LINE
    reserve_at: ReserveAt = ReserveAt.REDEEM

    def opened(self, at: datetime) -> bool:
        return self.opens_at is None or self.opens_at <= at

    def closed(self, at: datetime) -> bool:
        return self.closes_at is not None and self.closes_at <= at

    def refuse_outside(self, at: datetime) -> None:
        if not self.opened(at):
            raise CampaignNotOpen()
        if self.closed(at):
            raise CampaignClosed()

    def refuse_unoffered(self) -> None:
        if self.reserve_at is ReserveAt.ISSUE:
            raise NotOffered("a budget can only be bound when a coupon is used")

    def discount(self, lines: Iterable[tuple[str, Won]]) -> Won:
        """For lines of (kind, amount): rounded down, within the cap, never above what it applies to."""
        lines = tuple(lines)
        if sum(amount for _, amount in lines) < self.min_order:
            raise OrderTooSmall(min_order=self.min_order)
        discount = self._off(sum(amount for kind, amount in lines if kind in self.scope))
        if discount == 0:
            raise NothingToDiscount()
        return discount

    @property
    def largest(self) -> Won | None:
        """None when the terms set no bound."""
        value = self.value if self.kind is Kind.FIXED else None
        return min((bound for bound in (value, self.max_discount) if bound is not None), default=None)

    @property
    def least(self) -> Won:
        """No order gets a smaller discount than this."""
        return max(1, self._off(self.min_order) if self.scope == KINDS_OF_LINE else 0)

    def _off(self, amount: Won) -> Won:
        full = self.value if self.kind is Kind.FIXED else percent_of(amount, self.value)
        return min(full, amount, full if self.max_discount is None else self.max_discount)


# --- budget ------------------------------------------------------------------------------------------------

Split = tuple[tuple[int, Won], ...]
"""How much of one discount each shard pays: pairs of (shard, amount)."""

MOST_SHARDS = 90
"""A proof reads all shards and the campaign, a debit may touch all of them: 100 rows are the limit."""
COUPONS_PER_SHARD = 10
PEAK_PER_SECOND = 200
HOLD_SECONDS = 0.008
"""Half of the 15.7 ms seen for a whole TransactWriteItems on AWS: how long it keeps others off a row."""


def shard_budgets(budget: Won, largest: Won | None) -> tuple[Won, ...]:
    """Adds up to exactly the budget. About one attempt in ten meets another at the peak rate, and every shard
    holds at least ten of the largest discounts."""
    wanted = math.ceil(10 * PEAK_PER_SECOND * HOLD_SECONDS)
    shards = max(1, min(wanted, MOST_SHARDS, budget // (COUPONS_PER_SHARD * (largest or budget))))
    return spread(budget, shards)


def spread(amount: Won, shards: int) -> tuple[Won, ...]:
    """As even as whole won allow, and exactly `amount` in all."""
    each, rest = divmod(amount, shards)
    return tuple(each + (shard < rest) for shard in range(shards))


def split(available: Sequence[Won], amount: Won, choose: Callable[[Sequence[int]], int]) -> Split:
    """From one shard if any can pay alone (chosen, so that rivals part), else from several, largest first.

    BudgetExhausted when all of them together hold less: `available` must be seen at one instant.
    """
    if sum(available) < amount:
        raise BudgetExhausted()
    alone = [shard for shard, left in enumerate(available) if left >= amount]
    if alone:
        return ((choose(alone), amount),)
    parts = []
    for shard in sorted(range(len(available)), key=lambda shard: -available[shard]):
        part = min(available[shard], amount)
        parts.append((shard, part))
        amount -= part
        if amount == 0:
            break
    return tuple(parts)


class Switch(StrEnum):
    """Whether a campaign grants at all; every shard carries it, so that a debit meets it."""

    OPEN = "OPEN"
    PAUSED = "PAUSED"


class Shard(Struct, frozen=True):
    available: Won
    reserved: Won = 0
    captured: Won = 0
    refunded: Won = 0
    state: Switch = Switch.OPEN


class Campaign(Struct, frozen=True):
    """`left` is what a proof found in all shards together when it refused somebody: a hint, None without one.
    `request` is the fingerprint of the request that made the campaign."""

    campaign_id: str
    terms: Terms
    budget: Won
    shards: int
    request: str
    state: Switch = Switch.OPEN
    left: Won | None = None

    def discount(self, lines: Iterable[tuple[str, Won]]) -> Won:
        return self.terms.discount(lines)

    @property
    def seems_exhausted(self) -> bool:
        """Too little is left for a coupon as its owner knows it."""
        shown = self.terms.value if self.terms.kind is Kind.FIXED else self.terms.least
        return self.left is not None and self.left < shown


class Snapshot(Struct, frozen=True):
    """A campaign and all its shards at one instant: budget = available + reserved + (captured - refunded)."""

    campaign: Campaign
    shards: tuple[Shard, ...]

    @property
    def available(self) -> Won:
        return sum(shard.available for shard in self.shards)

    @property
    def reserved(self) -> Won:
        return sum(shard.reserved for shard in self.shards)

    @property
    def captured(self) -> Won:
        return sum(shard.captured for shard in self.shards)

    @property
    def refunded(self) -> Won:
        return sum(shard.refunded for shard in self.shards)

    def standing(self, at: datetime) -> str:
        """One word for the people who run it; the first that fits."""
        terms = self.campaign.terms
        words = (
            ("PAUSED", self.campaign.state is Switch.PAUSED),
            ("SCHEDULED", not terms.opened(at)),
            ("CLOSED", terms.closed(at)),
            ("EXHAUSTED", self.available < terms.least),
        )
        return next((word for word, fits in words if fits), "OPEN")


# --- codes -------------------------------------------------------------------------------------------------

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32 (crockford.com/base32.html): no I, L, O, U; read without regard to case or hyphens."""
LOOKALIKES = str.maketrans("OIL", "011", "- ")
RANDOM_SYMBOLS = 13
"""65 bits: a million live codes leave more than 10^13 guesses for a hit."""
MOST_TYPED = 40


def _powers() -> tuple[int, ...]:
    """Of x in GF(32) modulo x^5 + x^2 + 1, which is primitive: 31 different ones."""
    powers = [1]
    while len(powers) < 31:
        doubled = powers[-1] << 1
        powers.append(doubled ^ 0b100101 if doubled & 32 else doubled)
    return tuple(powers)


POWERS = _powers()
LOGS = {power: log for log, power in enumerate(POWERS)}


def _times(a: int, b: int) -> int:
    return POWERS[(LOGS[a] + LOGS[b]) % 31] if a and b else 0


def _sums(values: Sequence[int]) -> tuple[int, int]:
    """Both are 0 for a code word: for its symbols v0, v1, ... sum v_i = 0 and sum v_i x^i = 0, a shortened
    Reed-Solomon code of distance 3. One wrong symbol spoils the first sum, two swapped ones the second."""
    plain = weighted = 0
    for place, value in enumerate(values):
        plain ^= value
        weighted ^= _times(value, POWERS[place])
    return plain, weighted


def with_check(values: Sequence[int]) -> list[int]:
    """The two symbols that make both sums 0."""
    plain, weighted = _sums(values)
    here, last = POWERS[len(values)], POWERS[len(values) + 1]
    first = _times(weighted ^ _times(last, plain), POWERS[-LOGS[here ^ last] % 31])
    return [*values, first, plain ^ first]


def _keyed(key: str, label: str) -> bytes:
    return hmac.new(key.encode(), label.encode(), hashlib.sha256).digest()


def spell(key: str, campaign_id: str, batch_id: str, number: int) -> str:
    """The batch's code of that number, the same every time: codes are derived, never stored."""
    digest = _keyed(key, f"code|v1|{campaign_id}|{batch_id}|{number}")
    bits = int.from_bytes(digest[:9], "big") >> 7
    values = with_check([bits >> shift & 31 for shift in range(5 * (RANDOM_SYMBOLS - 1), -1, -5)])
    letters = "".join(SYMBOLS[value] for value in values)
    return f"{letters[:5]}-{letters[5:10]}-{letters[10:]}"


def read_code(typed: str) -> str:
    """The code's 15 symbols. CodeRefused, without asking anybody, for what cannot be a code."""
    letters = typed[:MOST_TYPED].upper().translate(LOOKALIKES)
    if len(letters) != RANDOM_SYMBOLS + 2 or not set(letters) <= set(SYMBOLS):
        raise CodeRefused()
    if _sums([SYMBOLS.index(letter) for letter in letters]) != (0, 0):
        raise CodeRefused()
    return letters


def hash_of(key: str, code: str) -> str:
    """All that is kept of a code."""
    return _keyed(key, "hash|v1|" + code.replace("-", "")).hex()[:32]


class Asked(Struct, frozen=True):
    """A keyed request, kept beside what it did, to tell its retry from another use of its key."""

    request_id: str
    what: str


class Batch(Struct, frozen=True):
    campaign_id: str
    batch_id: str
    count: int
    issued: int = 0

    @property
    def done(self) -> bool:
        return self.issued == self.count

    @property
    def state(self) -> str:
        return "DONE" if self.done else "ISSUING" if self.issued else "REQUESTED"

    def codes(self, key: str, first: int, most: int) -> tuple[str, ...]:
        numbers = range(first, min(first + most, self.count))
        return tuple(spell(key, self.campaign_id, self.batch_id, number) for number in numbers)


# --- coupons -----------------------------------------------------------------------------------------------


class State(StrEnum):
    ISSUED = "ISSUED"
    REGISTERED = "REGISTERED"
    USED = "USED"


class Event(StrEnum):
    REGISTER = "register"
    REDEEM = "redeem"


class Role(StrEnum):
    CUSTOMER = "customer"


LIFE = Table(
    (State.ISSUED, Event.REGISTER, State.REGISTERED, {Role.CUSTOMER}),
    (State.REGISTERED, Event.REDEEM, State.USED, {Role.CUSTOMER}),
)


class Coupon(Struct, frozen=True):
    """One code's life. The coupon's id carries the campaign's: a checkout knows whose budget pays unread."""

    campaign_id: str
    code_hash: str
    state: State = State.ISSUED
    owner: str | None = None
    used_by: str | None = None

    @property
    def coupon_id(self) -> str:
        return f"{self.campaign_id}.{self.code_hash}"

    def registered(self, owner: str) -> "Coupon":
        """CodeRefused, alike for used and foreign ones; its owner's is only asked for once more."""
        if not LIFE.allows(self.state, Event.REGISTER) and self != self.owned_by(owner):
            raise CodeRefused()
        return self.owned_by(owner)

    def owned_by(self, owner: str) -> "Coupon":
        """As it is in its owner's box before it is used."""
        return replace(self, state=State.REGISTERED, owner=owner, used_by=None)

    def hidden(self, campaign: Campaign) -> bool:
        """From its owner's box: nothing is left that it could be used for."""
        return self.state is State.REGISTERED and campaign.seems_exhausted


class Boxed(Struct, frozen=True):
    """A coupon as its owner sees it."""

    coupon: Coupon
    terms: Terms


def parts_of(coupon_id: str) -> tuple[str, str]:
    """The campaign's id and the code's hash."""
    campaign_id, dot, code = coupon_id.partition(".")
    if not dot:
        raise UnknownCoupon()
    return campaign_id, code
