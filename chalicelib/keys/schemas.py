"""What this context reads and answers over HTTP, and the data of the facts it publishes and hears."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.keys.model import (
    Action,
    Carrier,
    Correction,
    Entry,
    Event,
    Happened,
    Heard,
    Held,
    Holder,
    Override,
    Position,
    Receipt,
    Scan,
    State,
    Told,
    Tracking,
    Why,
)

# The last group is for Python, whose `$` also matches before a line's end.
KeyTag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9:_-]{1,64}$(?!\n)")]


class PositionBody(Struct, frozen=True):
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]

    def position(self) -> Position:
        return Position(self.lat, self.lon)


class ScanRequest(Struct, frozen=True):
    """`label_hash`: what the label's code says, compared when packing. `carrier` and `tracking_number` go
    together: the number under which that carrier knows the parcel. `label_position`: where its address is."""

    event: Literal[
        "pack",
        "handoff",
        "out_for_delivery",
        "attempt_failed",
        "delivered",
        "recovered",
        "found",
        "received",
        "audited",
    ]
    key_tag: KeyTag
    label_hash: Annotated[str, Meta(max_length=128)]
    occurred_at: Annotated[datetime, Meta(tz=True)]
    carrier: Carrier | None = None
    tracking_number: Annotated[str, Meta(pattern=r"[A-Za-z0-9]", max_length=64)] | None = None
    label_position: PositionBody | None = None

    def scan(self) -> Scan:
        place = self.label_position.position() if self.label_position else None
        return Scan(
            self.event, self.key_tag, self.label_hash, _utc(self.occurred_at), self._tracking(), place
        )

    def _tracking(self) -> Tracking | None:
        if (self.carrier is None) != (self.tracking_number is None):
            missing = "/carrier" if self.carrier is None else "/tracking_number"
            raise Malformed("the body does not fit", ((missing, "carrier and tracking_number go together"),))
        return (
            Tracking.of(self.carrier, self.tracking_number) if self.carrier and self.tracking_number else None
        )


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as problem:
        raise Malformed("the body does not fit", (("/occurred_at", "out of range"),)) from problem


class ReceiptRequest(Struct, frozen=True):
    """The tag on the key that came, or that none came: one of the two."""

    key_tag: KeyTag | None = None
    not_received: bool = False

    def receipt(self) -> Receipt:
        if (self.key_tag is None) is not self.not_received:
            raise Malformed("the body does not fit", (("/key_tag", "say key_tag, or not_received: true"),))
        return Receipt(self.key_tag)


class StandingView(Struct, frozen=True):
    """Where the shipment stands after this."""

    shipment_id: str
    state: str

    @classmethod
    def of(cls, told: Told) -> "StandingView":
        return cls(told.shipment_id, told.state)


class HeardView(Struct, frozen=True):
    """`scans`: how many were readable. `new`: how many were news. `known`: whether a parcel of ours has the
    number; until one has, they are kept."""

    known: bool
    scans: int
    new: int

    @classmethod
    def of(cls, heard: Heard) -> "HeardView":
        return cls(heard.known, heard.scans, heard.new)


ToldWord = Literal[
    "pack_scan_ok",
    "carrier_accept",
    "scan_transit",
    "scan_ofd",
    "scan_attempt_failed",
    "scan_exception",
    "scan_wrong_address",
    "scan_delivered",
    "scan_returning",
    "recovered",
    "found",
    "scan_received_hub",
    "audit_ok",
]


class CorrectionRequest(Struct, frozen=True):
    """An event declared an error, in the words of EPCIS; `event` and `occurred_at`: what happened instead."""

    event_id: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Why
    event: ToldWord | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None

    def correction(self) -> Correction:
        if self.event is None or self.occurred_at is None:
            if self.event is not None or self.occurred_at is not None:
                raise Malformed("the body does not fit", (("/event", "event and occurred_at go together"),))
            return Correction(self.event_id, self.reason)
        return Correction(self.event_id, self.reason, (Event(self.event), _utc(self.occurred_at)))


class CalendarRequest(Struct, frozen=True):
    """A day announced late: with business (`open`), or without."""

    date: date
    open: bool
    note: Annotated[str, Meta(max_length=200)]


class CalendarView(Struct, frozen=True):
    date: date
    open: bool
    note: str
    announced_at: datetime

    @classmethod
    def of(cls, override: Override) -> "CalendarView":
        return cls(override.day, override.open, override.note, override.announced_at)


class MoveView(Struct, frozen=True):
    """A line of the key's ledger: when it changed hands (`at`), and when we believed it."""

    seq: int
    from_kind: Holder
    holder_kind: Holder
    at: datetime
    recorded_at: datetime
    event: Event
    event_id: str
    shipment_id: str
    contract_id: str

    @classmethod
    def of(cls, entry: Entry) -> "MoveView":
        return cls(*(getattr(entry, name) for name in cls.__struct_fields__))


class EventView(Struct, frozen=True):
    """An event of the key's latest way. `outcome`: where the shipment stood once this was known."""

    id: str
    event: Event
    at: datetime
    recorded_at: datetime
    by: str
    outcome: State | None

    @classmethod
    def of(cls, happened: Happened) -> "EventView":
        return cls(*(getattr(happened, name) for name in cls.__struct_fields__))


class KeyView(Struct, frozen=True):
    """Who has a key, since when; `history` and `events` latest first."""

    key_tag: str
    car_id: str
    holder: Holder
    since: datetime
    contract_id: str
    shipment_id: str
    state: State
    history: list[MoveView]
    events: list[EventView]

    @classmethod
    def of(cls, held: Held, state: State, ledger: Sequence[Entry], log: Sequence[Happened]) -> "KeyView":
        return cls(
            held.key_tag,
            held.car_id,
            held.holder,
            held.since,
            held.contract_id,
            held.shipment_id,
            state,
            [MoveView.of(entry) for entry in ledger],
            [EventView.of(each) for each in log],
        )


class ContractHeard(Struct, frozen=True):
    """ContractAssigned, SwapDone, ContractCancelled and AppointmentMoved, heard from contracts and
    appointments; everything else is asked for."""

    contract_id: str


class CarOpenedWithKey(Struct, frozen=True):
    """Heard from doors."""

    car_id: str
    at: datetime


class CalendarChanged(Struct, frozen=True):
    """Published, and heard by the job that counts all open deadlines anew."""

    date: date
    open: bool


class KeyShipmentEscalated(Struct, frozen=True):
    """One rung of the ladder was reached. `rung` counts from one within the state's stay, which began at
    `since`; `occurred_at`: when the rung was due."""

    shipment_id: str
    contract_id: str
    car_id: str
    rung: int
    action: Action
    state: State
    since: datetime
    occurred_at: datetime
    recorded_at: datetime


class KeyCustodyChanged(Struct, frozen=True):
    """A key changed hands, or turned out to be with somebody else than was believed."""

    key_tag: str
    car_id: str
    contract_id: str
    holder_kind: Holder
    from_kind: Holder
    at: datetime
    event: Event


class KeyLost(Struct, frozen=True):
    """Nobody knows where the key is. The same data is called KeyFound when somebody does again, and
    KeyRekeyed when it opens nothing any more."""

    key_tag: str
    car_id: str
    contract_id: str


class KeyShipmentMoved(Struct, frozen=True):
    """Published when a shipment moves, when a timer rings, and when a wrong label was scanned.

    The same data is called KeyShipmentLate when it stalls or is lost, KeyShipmentMisdelivered when it reaches
    a wrong address, KeyShipmentMismatched when somebody holds a wrong key, KeyShipmentVerified at the end.
    """

    shipment_id: str
    contract_id: str
    car_id: str
    from_state: State
    to_state: State
    event: Event
    occurred_at: datetime
    recorded_at: datetime
