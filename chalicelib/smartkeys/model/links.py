"""How a grant reaches a phone: a link that works once, a session behind it, and who that makes its bearer."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.kernel.errors import HandoverError
from chalicelib.smartkeys.model.errors import NoSmartKey, SessionEnded, TooManyAsks
from chalicelib.smartkeys.model.grants import Grant

TRIES = 5
"""Wrong proofs that a link survives, and so many a session."""
LINK_TRIES = TRIES
ANSWER_AGAIN = timedelta(minutes=10)
"""How long the same code, proof and Idempotency-Key hear the same answer."""
SESSION_LIFE = timedelta(days=30)
PROOF_HOLDS = timedelta(hours=24)
"""After a proof, as long as doors unlocks without another."""
ASKS = 3
ASKS_WINDOW = timedelta(minutes=10)
MISSES_WINDOW = timedelta(days=1)
"""In which a phone may bring five wrong proofs."""
CODE_CHARS = 22
"""Of six bits each: 132 bits."""


class Origin(Struct, frozen=True):
    """Where a request came from: personal, so it stands in a log's private part only."""

    ip: str
    agent: str


class Link(Struct, frozen=True):
    """A link as its row knows it. `used`: its exchange has succeeded. `replaces` marks the one it kills."""

    mark: str
    grant_id: str
    contract_id: str
    holder: str
    send_no: int
    expires_at: datetime
    tries_left: int = TRIES
    used: bool = False
    replaces: str | None = None


class LinkToSend(Struct, frozen=True):
    """What the sender of the text needs; the code never shows in a log or a traceback."""

    contract_id: str
    holder: str
    code: str

    def __repr__(self) -> str:
        return f"LinkToSend({self.contract_id!r}, {self.holder!r})"


class Session(Struct, frozen=True):
    """`proven_at`: when its bearer last proved who they are."""

    mark: str
    grant_id: str
    expires_at: datetime
    proven_at: datetime
    send_no: int
    tries_left: int = TRIES

    def is_over(self, at: datetime) -> bool:
        return at >= self.expires_at or self.tries_left <= 0


class Holder(Struct, frozen=True):
    """Who asks for something of a car, and what they may do with it now.

    `who`: their opaque name in logs. `reason`: why staff act. `refusal`: known, but may not, and why.
    `proven_at`: when they last proved who they are, as far as anybody knows.
    """

    grant_id: str
    contract_id: str
    car_id: str
    actions: tuple[str, ...]
    who: str
    not_after: datetime | None = None
    reason: str | None = None
    proven_at: datetime | None = None
    refusal: HandoverError | None = None

    @classmethod
    def of(
        cls,
        grant: Grant,
        proven_at: datetime | None,
        refusal: HandoverError | None,
        reason: str | None = None,
    ) -> "Holder":
        return cls(
            grant.grant_id,
            grant.contract_id,
            grant.car_id,
            grant.actions,
            grant.who,
            grant.not_after,
            reason,
            proven_at,
            refusal,
        )


def without_key(contract_id: str, car_id: str, who: str) -> Holder:
    """Somebody who may look at the contract, and has no grant."""
    return Holder("none", contract_id, car_id, (), who, refusal=NoSmartKey())


def link_code(key: str, grant_id: str, send_no: int) -> str:
    return derived(key, f"link|v1|{grant_id}|{send_no}")[:CODE_CHARS]


def session_token(key: str, grant_id: str, send_no: int) -> str:
    return derived(key, f"session|v1|{grant_id}|{send_no}")


LONGEST_ID = 64


class Token(Struct, frozen=True):
    """What a session's cookie holds: the grant, so that both rows are read at once, and the secret."""

    grant_id: str
    secret: str

    @classmethod
    def read(cls, cookie: str | None) -> "Token":
        """SessionEnded for whatever no exchange has handed out."""
        grant_id, _, secret = (cookie or "").partition(".")
        if not (0 < len(grant_id) <= LONGEST_ID and secret):
            raise SessionEnded()
        return cls(grant_id, secret)

    @property
    def mark(self) -> str:
        return mark_of(self.secret)

    @property
    def cookie(self) -> str:
        return f"{self.grant_id}.{self.secret}"

    def __repr__(self) -> str:
        return f"Token({self.grant_id!r})"


def phone_mark(key: str, phone: str) -> str:
    """Keyed, since eight digits can be guessed."""
    return derived(key, f"phone|v1|{phone}")


def person_mark(key: str, fingerprint: str) -> str:
    """Keyed, since what a body says of a person can be guessed."""
    return derived(key, f"person|v1|{fingerprint}")


def mark_of(secret: str) -> str:
    """What is stored in place of a code, a token or a caller's key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derived(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Asks(Struct, frozen=True):
    """When a phone asked for links, and when with a proof that did not fit."""

    times: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()

    def and_now(self, at: datetime, *, proving: bool) -> "Asks":
        """With this ask, as if its proof were wrong. TooManyAsks when it is one too many in any window."""
        missed = tuple(once for once in self.missed if once > at - MISSES_WINDOW)
        counted = proving and len(missed) <= TRIES
        return Asks(with_ask(self.times, at), (*missed, at) if counted else missed)

    @property
    def proven(self) -> "Asks":
        """Its proof was right after all."""
        return Asks(self.times)

    @property
    def may_prove(self) -> bool:
        return len(self.missed) <= TRIES

    @property
    def last_proof(self) -> bool:
        return len(self.missed) == TRIES


def with_ask(asks: Sequence[datetime], at: datetime) -> tuple[datetime, ...]:
    """The asks that still count, and this one. TooManyAsks when it is one too many in any such window."""
    recent = tuple(asked for asked in asks if asked > at - ASKS_WINDOW)
    if len(recent) >= ASKS:
        raise TooManyAsks(retry_after=int((recent[-ASKS] + ASKS_WINDOW - at).total_seconds()) + 1)
    return (*recent, at)
