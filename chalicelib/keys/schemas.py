"""What this context reads and answers over HTTP, and the data of the facts it publishes and hears."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from chalicelib.kernel.errors import Malformed
from chalicelib.keys.model import Carrier, Event, Heard, Position, Receipt, Scan, State, Told, Tracking

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


class ContractAssigned(Struct, frozen=True):
    """Heard from contracts; everything else is asked for."""

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
