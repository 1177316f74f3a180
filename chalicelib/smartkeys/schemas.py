"""What smart-key callers send and hear, and the facts this context publishes and understands."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.ids import fingerprint, keyed_id
from chalicelib.smartkeys.model import (
    MOST_USES,
    Car,
    CarState,
    Grant,
    HeldKeys,
    Kind,
    OpenKey,
    Order,
    Person,
    Revoked,
    mark_of,
)

MOST_REASON = 200
Secret = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]
Action = Literal["unlock", "lock", "hazard_on", "hazard_off", "horn"]
Actions = Annotated[tuple[Action, ...], Meta(min_length=1, max_length=5)]


class ExchangeRequest(Struct, frozen=True):
    """`proof`: birth date, or the last four digits of the licence."""

    code: Secret
    proof: Secret


class StepUpRequest(Struct, frozen=True):
    """`proof`: as for the exchange."""

    proof: Secret


class LinkRequest(Struct, frozen=True):
    phone: Secret
    proof: Secret


class SmartKeyPosition(Struct, frozen=True):
    lat: float
    lon: float
    at: datetime


class SmartKeyCar(Struct, frozen=True):
    """What the car said last, at `reported_at`; null where it never said. `stopped`: we have stopped it."""

    car_id: str
    plate: str
    model: str
    online: bool
    last_seen: datetime | None
    position: SmartKeyPosition | None
    locked: bool | None
    doors_open: bool | None
    battery_percent: int | None
    reported_at: datetime | None
    stopped: bool

    @classmethod
    def of(cls, car: Car, state: CarState, *, shows_position: bool = True) -> "SmartKeyCar":
        where = state.position if shows_position else None
        return cls(
            car.car_id,
            car.plate,
            car.model,
            state.online,
            state.last_seen,
            SmartKeyPosition(*where, state.position_at) if where and state.position_at else None,
            state.locked,
            state.doors_open,
            state.battery_percent,
            state.reported_at,
            state.stopped,
        )


class SmartKeyView(Struct, frozen=True):
    """`who`: what kind of holder. Until `proven_until` the car opens without another proof, and is shown on
    the map."""

    grant_id: str
    contract_id: str
    who: Kind
    car: SmartKeyCar
    actions: tuple[str, ...]
    not_after: datetime
    uses_left: int | None
    proven_until: datetime

    @classmethod
    def of(cls, key: OpenKey) -> "SmartKeyView":
        grant = key.grant
        return cls(
            grant.grant_id,
            grant.contract_id,
            grant.kind,
            SmartKeyCar.of(key.car, key.state, shows_position=key.located),
            grant.actions,
            grant.not_after,
            grant.uses_left,
            key.proven_until,
        )


class PersonRequest(Struct, frozen=True):
    """`birth_date` or `licence_last4` is what they prove themselves by; `phone` as people write it."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    phone: Secret
    birth_date: date | None = None
    licence_last4: Annotated[str, Meta(pattern=r"^[0-9]{4}$(?!\n)")] | None = None
    language: Literal["ko", "en"] = "ko"

    def person(self) -> Person:
        if self.birth_date is None and self.licence_last4 is None:
            raise Malformed("nothing to prove themselves by", (("/person", "birth_date or licence_last4"),))
        return Person(self.name, self.phone, self.language, self.birth_date, self.licence_last4)


class IssueRequest(Struct, frozen=True):
    """`holder`: "customer", a driver's number, or a person named before; `person`: somebody new instead.

    `max_uses`: so many times it opens the car.
    """

    reason: Text
    not_after: Moment
    holder: (
        Annotated[str, Meta(pattern=r"^(customer|[2-9]|[1-9][0-9]|person:[0-9a-z]{10})$(?!\n)")] | None
    ) = None
    person: PersonRequest | None = None
    not_before: Moment | None = None
    actions: Actions | None = None
    max_uses: Annotated[int, Meta(ge=1, le=MOST_USES)] | None = None

    def order(self, contract_id: str, by: str, key: str) -> Order:
        if (self.holder is None) == (self.person is None):
            raise Malformed("who is it for?", (("/holder", "either holder or person"),))
        grant_id = keyed_id("grt", by, key)
        return Order(
            order_id=keyed_id("ord", by, key),
            fingerprint=mark_of(contract_id + fingerprint(self)),
            grant_id=grant_id,
            contract_id=contract_id,
            holder=self.holder or f"{Kind.PERSON}:{grant_id[-10:]}",
            reason=self.reason,
            issuer=by,
            not_after=self.not_after,
            not_before=self.not_before,
            actions=self.actions,
            max_uses=self.max_uses,
            person=self.person.person() if self.person else None,
        )


class ShareRequest(Struct, frozen=True):
    """`holder`: the number of a driver of this contract. Without `actions` they may do what the giver may.

    A key that is good for so many uses cannot be given away.
    """

    holder: Annotated[str, Meta(pattern=r"^([2-9]|[1-9][0-9])$(?!\n)")]
    not_after: Moment
    not_before: Moment | None = None
    actions: Actions | None = None

    def order(self, contract_id: str, by: str, key: str) -> Order:
        return Order(
            order_id=keyed_id("ord", "shared", by, key),
            fingerprint=mark_of(contract_id + fingerprint(self)),
            grant_id=keyed_id("grt", "shared", by, key),
            contract_id=contract_id,
            holder=self.holder,
            reason="shared",
            issuer=by,
            not_after=self.not_after,
            not_before=self.not_before,
            actions=self.actions,
            shared=True,
        )


class IssuedView(Struct, frozen=True):
    """`not_after`: it may end earlier than was asked for."""

    grant_id: str
    not_after: datetime


class RevokedView(Struct, frozen=True):
    """`certain_at`: from then on no command of before can reach the car any more."""

    grant_id: str
    revoked_at: datetime
    certain_at: datetime

    @classmethod
    def of(cls, revoked: Revoked) -> "RevokedView":
        return cls(revoked.grant_id, revoked.revoked_at, revoked.certain_at)


def reason_of(query: Mapping[str, str]) -> str | None:
    """Asked for and not insisted on: nothing may stand in the way of ending a smart key."""
    return query.get("reason", "").strip()[:MOST_REASON] or None


class GrantView(Struct, frozen=True):
    """`links`: how many were made. `link_died`: the latest one, by wrong proofs."""

    grant_id: str
    contract_id: str
    holder: str
    kind: Kind
    car_id: str
    state: str
    actions: tuple[str, ...]
    reason: str
    issuer: str
    incident_id: str | None
    given_by: str | None
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    links: int
    link_died: bool
    max_uses: int | None
    uses_left: int | None
    sent_at: datetime | None
    opened_at: datetime | None
    unlocked_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_for: str | None

    @classmethod
    def of(cls, grant: Grant) -> "GrantView":
        return cls(
            grant_id=grant.grant_id,
            contract_id=grant.contract_id,
            holder=grant.holder,
            kind=grant.kind,
            car_id=grant.car_id,
            state=grant.state.value,
            actions=grant.actions,
            reason=grant.reason,
            issuer=grant.issuer,
            incident_id=grant.incident_id,
            given_by=grant.given_by,
            not_before=grant.not_before,
            not_after=grant.not_after,
            issued_at=grant.issued_at,
            links=grant.send_no,
            link_died=grant.link_died,
            max_uses=grant.max_uses,
            uses_left=grant.uses_left,
            sent_at=grant.sent_at,
            opened_at=grant.opened_at,
            unlocked_at=grant.unlocked_at,
            revoked_at=grant.revoked_at,
            revoked_by=grant.revoked_by,
            revoked_for=grant.revoked_for,
        )


class GrantList(Struct, frozen=True):
    smart_keys: list[GrantView]


class HeldKey(Struct, frozen=True):
    """A smart key as its contract's customer, or its driver, sees it. `mine`: the caller's own."""

    grant_id: str
    holder: str
    kind: Kind
    name: str | None
    mine: bool
    state: str
    actions: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    uses_left: int | None
    sent_at: datetime | None
    opened_at: datetime | None
    unlocked_at: datetime | None
    revoked_at: datetime | None


class DriverView(Struct, frozen=True):
    number: str
    name: str
    verified: bool


class ContractKeys(Struct, frozen=True):
    """`car`: null before there is one and after it was brought back. `drivers`: who could be given a key."""

    car: SmartKeyCar | None
    smart_keys: list[HeldKey]
    drivers: list[DriverView]

    @classmethod
    def of(cls, held: HeldKeys) -> "ContractKeys":
        car = None
        if held.car and held.state:
            car = SmartKeyCar.of(held.car, held.state, shows_position=held.located)
        return cls(
            car,
            [_held(grant, held) for grant in held.grants],
            [DriverView(each.number, each.name, each.verified) for each in held.drivers],
        )


def _held(grant: Grant, held: HeldKeys) -> HeldKey:
    return HeldKey(
        grant_id=grant.grant_id,
        holder=grant.holder,
        kind=grant.kind,
        name=held.names.get(grant.holder),
        mine=grant.holder == held.asker.holder,
        state=grant.state.value,
        actions=grant.actions,
        not_before=grant.not_before,
        not_after=grant.not_after,
        issued_at=grant.issued_at,
        uses_left=grant.uses_left,
        sent_at=grant.sent_at,
        opened_at=grant.opened_at,
        unlocked_at=grant.unlocked_at,
        revoked_at=grant.revoked_at,
    )


class SmartKeyLinkIssued(Struct, frozen=True):
    """Published: a link waits to be sent to this kind of `holder`. Its code is derived, and is not here."""

    grant_id: str
    contract_id: str
    send_no: int
    holder: str


class SmartKeyStaffIssued(Struct, frozen=True):
    """Published: one of our staff may act on the car for a quarter of an hour."""

    grant_id: str
    contract_id: str


class SmartKeyOpened(Struct, frozen=True):
    """Published: a link was exchanged for a session."""

    grant_id: str
    contract_id: str


class SmartKeyRevoked(Struct, frozen=True):
    """Published: a person ended the grant, or its contract's end did."""

    grant_id: str
    contract_id: str


class SmartKeyLinkDied(Struct, frozen=True):
    """Published: wrong proofs used up a link's tries. Operations should call the customer."""

    grant_id: str
    contract_id: str
    send_no: int


class SmartKeyAsksStopped(Struct, frozen=True):
    """Published: five wrong proofs came with requests for a new link, and for a day none is sent that way.
    Operations should call the customer."""

    grant_id: str
    contract_id: str


class SmartKeySessionEnded(Struct, frozen=True):
    """Published: wrong proofs used up a session's tries. Operations should call the customer."""

    grant_id: str
    contract_id: str


class SmartKeyUnlocked(Struct, frozen=True):
    """Published when the grant opened its car for the first time."""

    grant_id: str
    contract_id: str
    at: datetime


class Stranded(Struct, frozen=True):
    """Heard: what KeyShipmentMisdelivered, KeyShipmentMismatched, KeyShipmentEscalated, ContractAtRisk and
    CarLockedOut have in common."""

    contract_id: str


class Ended(Struct, frozen=True):
    """Heard: what the facts that end keys, and SwapDone, have in common. `number`: of DriverRemoved."""

    contract_id: str
    number: int | None = None


class NoticeSent(Struct, frozen=True):
    """Heard."""

    grant_id: str


class CommandSettled(Struct, frozen=True):
    """Heard."""

    command_id: str
    grant_id: str
    action: str
    state: str
