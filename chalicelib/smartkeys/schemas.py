"""What smart-key callers send and hear, and the facts this context publishes and understands."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.kernel.ids import fingerprint, keyed_id
from chalicelib.smartkeys.model import Grant, Order, mark_of

Secret = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class ExchangeRequest(Struct, frozen=True):
    """`proof`: birth date, or the last four digits of the licence."""

    code: Secret
    proof: Secret


class LinkRequest(Struct, frozen=True):
    phone: Secret
    proof: Secret


class SmartKeyCar(Struct, frozen=True):
    car_id: str
    plate: str
    model: str
    online: bool
    last_seen: datetime | None


class SmartKeyView(Struct, frozen=True):
    grant_id: str
    contract_id: str
    car: SmartKeyCar
    actions: tuple[str, ...]
    not_after: datetime


class IssueRequest(Struct, frozen=True):
    """`holder`: "customer", or a driver's number."""

    holder: Annotated[str, Meta(pattern=r"^(customer|[1-9][0-9]?)$")]
    reason: Text
    not_after: Moment
    not_before: Moment | None = None

    def order(self, contract_id: str, by: str, key: str) -> Order:
        return Order(
            order_id=keyed_id("ord", by, key),
            fingerprint=mark_of(contract_id + fingerprint(self)),
            grant_id=keyed_id("grt", by, key),
            contract_id=contract_id,
            holder=self.holder,
            reason=self.reason,
            issuer=by,
            not_after=self.not_after,
            not_before=self.not_before,
        )


class IssuedView(Struct, frozen=True):
    grant_id: str


class GrantView(Struct, frozen=True):
    """`links`: how many were made."""

    grant_id: str
    contract_id: str
    holder: str
    car_id: str
    state: str
    actions: tuple[str, ...]
    reason: str
    issuer: str
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    links: int
    sent_at: datetime | None
    opened_at: datetime | None
    unlocked_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> "GrantView":
        return cls(
            grant_id=grant.grant_id,
            contract_id=grant.contract_id,
            holder=grant.holder,
            car_id=grant.car_id,
            state=grant.state.value,
            actions=grant.actions,
            reason=grant.reason,
            issuer=grant.issuer,
            not_before=grant.not_before,
            not_after=grant.not_after,
            issued_at=grant.issued_at,
            links=grant.send_no,
            sent_at=grant.sent_at,
            opened_at=grant.opened_at,
            unlocked_at=grant.unlocked_at,
            revoked_at=grant.revoked_at,
        )


class GrantList(Struct, frozen=True):
    smart_keys: list[GrantView]


class SmartKeyLinkIssued(Struct, frozen=True):
    """Published: a link waits to be sent. Its code is derived, and is not here."""

    grant_id: str
    contract_id: str
    send_no: int


class SmartKeyOpened(Struct, frozen=True):
    """Published: a link was exchanged for a session."""

    grant_id: str
    contract_id: str


class SmartKeyRevoked(Struct, frozen=True):
    """Published: a person ended the grant."""

    grant_id: str
    contract_id: str


class SmartKeyLinkDied(Struct, frozen=True):
    """Published: wrong proofs used up a link's tries. Operations should call the customer."""

    grant_id: str
    contract_id: str
    send_no: int


class SmartKeyUnlocked(Struct, frozen=True):
    """Published when the grant opened its car for the first time."""

    grant_id: str
    contract_id: str
    at: datetime


class Stranded(Struct, frozen=True):
    """Heard: what KeyShipmentMisdelivered, KeyShipmentMismatched, KeyShipmentEscalated, ContractAtRisk and
    CarLockedOut have in common."""

    contract_id: str


class NoticeSent(Struct, frozen=True):
    """Heard."""

    grant_id: str


class CommandSettled(Struct, frozen=True):
    """Heard."""

    grant_id: str
    action: str
    state: str
