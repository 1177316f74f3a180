"""How codes are spelt, and the batches they are issued in."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from chalicelib.coupons.model.errors import CodeRefused

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32 (crockford.com/base32.html): no I, L, O, U; read without regard to case or hyphens."""
LOOKALIKES = str.maketrans("OIL", "011", "- ")
RANDOM_SYMBOLS = 13
"""65 bits: a million live codes leave more than 10^13 guesses for a hit."""
MOST_TYPED = 40
DOWNLOADS = "~"
"""In place of a batch: the coupons that customers take for themselves. No batch can have that name."""


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


def spell(key: str, campaign_id: str, batch_id: str, number: int | str) -> str:
    """The batch's code of that number, the same every time: codes are derived, never stored. Of DOWNLOADS,
    the customer stands for the number."""
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


def mark_of(key: str, ip: str) -> str:
    """All that is kept of an address: there are few, so keyed. Of IPv6 its network of 64 bits, which one
    customer has for themselves."""
    try:
        address = ip_address(ip)
    except ValueError:
        return _keyed(key, f"ip|v1|{ip[:MOST_TYPED]}").hex()[:32]
    near = int(address) >> 64 if isinstance(address, IPv6Address) else int(address)
    return _keyed(key, f"ip|v1|{address.version}|{near}").hex()[:32]


class Voided(Struct, frozen=True):
    at: datetime
    by: str
    reason: str


class BatchKind(StrEnum):
    CODES = "codes"
    TARGETS = "targets"


class Batch(Struct, frozen=True):
    """Codes asked for together; `issued` of `count` work. Of TARGETS, code n is the coupon in the box of the
    n-th customer who was to have one; `refused` were not, being in none of the campaign's groups; `send`: the
    others are written to. `request` tells a repetition from another batch of that name. `voided`: of a batch
    that is to be void, how many of its codes are seen to."""

    campaign_id: str
    batch_id: str
    count: int
    issued: int = 0
    kind: BatchKind = BatchKind.CODES
    send: bool = False
    refused: int = 0
    request: str = ""
    created_at: datetime | None = None
    touched_at: datetime | None = None
    voided: int | None = None
    void: Voided | None = None

    @property
    def per_second(self) -> float | None:
        """None before anything is known of it."""
        if not (self.created_at and self.touched_at and self.touched_at > self.created_at):
            return None
        return self.issued / (self.touched_at - self.created_at).total_seconds()

    @property
    def seconds_left(self) -> int | None:
        speed = self.per_second
        return round((self.count - self.issued) / speed) if speed else None

    @property
    def done(self) -> bool:
        return self.issued == self.count

    @property
    def state(self) -> str:
        if self.voided is not None:
            return "VOID" if self.voided == self.issued else "VOIDING"
        return "DONE" if self.done else "ISSUING" if self.issued else "REQUESTED"

    def codes(self, key: str, first: int, most: int) -> tuple[str, ...]:
        numbers = range(first, min(first + most, self.count))
        return tuple(spell(key, self.campaign_id, self.batch_id, number) for number in numbers)

    def hashes(self, key: str, first: int, most: int) -> list[str]:
        return [hash_of(key, code) for code in self.codes(key, first, most)]
