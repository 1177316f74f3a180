"""What carriers say, verified and put into our words; and the queue that takes what one sweep cannot.

All three are tracking services: each webhook carries the whole history of a parcel. Two sign in ways of their
own (docs.easypost.com/guides/webhooks-guide, aftership.com/docs/tracking/webhook/webhook-signature), one does
not, so a relay takes their webhooks and signs them all alike. To the callback of delivery-tracker, which only
says that something happened (tracker.delivery/docs/tracking-webhook-api), it adds the `track` it asked for.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from chalicelib.kernel.clock import KST
from chalicelib.kernel.errors import Malformed
from chalicelib.keys.model import (
    BadSignature,
    Carrier,
    CarrierReport,
    CarrierScan,
    Event,
    Position,
    Tracking,
    UnknownCarrier,
)

NEWEST = 40
"""So many scans of one webhook are read; what is older came with the webhooks before it."""
OLDEST_YEAR = 2000

Number = Annotated[str, Meta(min_length=1, max_length=64)]
Word = Annotated[str, Meta(max_length=64)]
Time = Annotated[str, Meta(max_length=40)]


def _at(text: str | None) -> datetime | None:
    """None without a time: nothing could be ordered by it. Without an offset it is the courier's: Seoul's."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=KST)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise Malformed(f"not a time: {text}") from problem
    if at.year < OLDEST_YEAR:
        raise Malformed(f"not a time: {text}")
    return at


def _scans(read: Iterable[tuple[Event | None, str | None, str, Position | None]]) -> tuple[CarrierScan, ...]:
    """Event, time, code and position of each entry; without event or time it tells us nothing."""
    timed = ((event, _at(time), code, position) for event, time, code, position in read)
    scans = [CarrierScan(event, at, code, position) for event, at, code, position in timed if event and at]
    return tuple(sorted(scans, key=lambda scan: scan.at)[-NEWEST:])


class _Detail(Struct):
    datetime: Time
    status: Word
    status_detail: Word | None = None


class _Tracker(Struct):
    tracking_code: Number
    tracking_details: list[_Detail]


class _EasyPost(Struct):
    """docs.easypost.com/docs/events: an Event; about trackers `tracker.created` or `tracker.updated`."""

    description: Word
    result: msgspec.Raw


EASYPOST = {
    "in_transit": Event.SCAN_TRANSIT,
    "out_for_delivery": Event.SCAN_OFD,
    "available_for_pickup": Event.SCAN_ATTEMPT_FAILED,
    "delivered": Event.SCAN_DELIVERED,
    "return_to_sender": Event.SCAN_RETURNING,
    "failure": Event.SCAN_ATTEMPT_FAILED,
    "failure/address_correction": Event.SCAN_WRONG_ADDRESS,
    "failure/damaged": Event.SCAN_EXCEPTION,
    "failure/lost": Event.SCAN_EXCEPTION,
    "failure/refused": Event.SCAN_EXCEPTION,
    "failure/transit_exception": Event.SCAN_EXCEPTION,
}
"""docs.easypost.com/docs/trackers: `status`, or `status/status_detail` where that says more. `unknown`,
`pre_transit`, `cancelled` and `error` say nothing of where the parcel is."""


def _easypost(raw: bytes) -> CarrierReport:
    event = msgspec.json.decode(raw, type=_EasyPost)
    if not event.description.startswith("tracker."):
        return CarrierReport(Tracking.of(Carrier.EASYPOST, ""), ())
    tracker = msgspec.json.decode(event.result, type=_Tracker)

    def read() -> Iterator[tuple[Event | None, str | None, str, Position | None]]:
        for detail in tracker.tracking_details:
            code = f"{detail.status}/{detail.status_detail or 'unknown'}"
            yield EASYPOST.get(code) or EASYPOST.get(detail.status), detail.datetime, code, None

    return CarrierReport(Tracking.of(Carrier.EASYPOST, tracker.tracking_code), _scans(read()))


class _Coordinate(Struct):
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None

    def position(self) -> Position | None:
        if self.latitude is None or self.longitude is None:
            return None
        return Position(self.latitude, self.longitude)


class _Checkpoint(Struct):
    tag: Word
    subtag: Word | None = None
    checkpoint_time: Time | None = None
    coordinate: _Coordinate | None = None


class _Message(Struct):
    tracking_number: Number
    checkpoints: list[_Checkpoint]


class _AfterShip(Struct):
    """aftership.com/docs/tracking/webhook/webhook-specifications"""

    msg: _Message


AFTERSHIP = {
    "InTransit": Event.SCAN_TRANSIT,
    "OutForDelivery": Event.SCAN_OFD,
    "AttemptFail": Event.SCAN_ATTEMPT_FAILED,
    "AvailableForPickup": Event.SCAN_ATTEMPT_FAILED,
    "Delivered": Event.SCAN_DELIVERED,
    "Exception": Event.SCAN_EXCEPTION,
    "Exception_007": Event.SCAN_WRONG_ADDRESS,
    "Exception_010": Event.SCAN_RETURNING,
    "Exception_011": Event.SCAN_RETURNING,
}
"""aftership.com/docs/tracking/enum/delivery-sub-statuses: `tag`, or `subtag` where that says more. `Pending`,
`InfoReceived` and `Expired` are no scans: how long silence may last is ours to say."""


def _aftership(raw: bytes) -> CarrierReport:
    message = msgspec.json.decode(raw, type=_AfterShip).msg

    def read() -> Iterator[tuple[Event | None, str | None, str, Position | None]]:
        for point in message.checkpoints:
            code = point.subtag or point.tag
            position = point.coordinate.position() if point.coordinate else None
            yield AFTERSHIP.get(code) or AFTERSHIP.get(point.tag), point.checkpoint_time, code, position

    return CarrierReport(Tracking.of(Carrier.AFTERSHIP, message.tracking_number), _scans(read()))


class _Status(Struct):
    code: Word


class _TrackEvent(Struct):
    status: _Status
    time: Time | None = None


class _Edge(Struct):
    node: _TrackEvent


class _Events(Struct):
    edges: list[_Edge]


class _Track(Struct):
    events: _Events


class _DeliveryTracker(Struct, rename="camel"):
    """The callback (`carrierId`, `trackingNumber`), and `track` as the API's schema defines it: TrackInfo."""

    carrier_id: Word
    tracking_number: Number
    track: _Track


DELIVERY_TRACKER = {
    "AT_PICKUP": Event.CARRIER_ACCEPT,
    "IN_TRANSIT": Event.SCAN_TRANSIT,
    "OUT_FOR_DELIVERY": Event.SCAN_OFD,
    "ATTEMPT_FAIL": Event.SCAN_ATTEMPT_FAILED,
    "AVAILABLE_FOR_PICKUP": Event.SCAN_ATTEMPT_FAILED,
    "DELIVERED": Event.SCAN_DELIVERED,
    "EXCEPTION": Event.SCAN_EXCEPTION,
}
"""TrackEventStatusCode of the same schema. It has no word for a wrong address: there the customer says it."""


def _delivery_tracker(raw: bytes) -> CarrierReport:
    told = msgspec.json.decode(raw, type=_DeliveryTracker)
    nodes = (edge.node for edge in told.track.events.edges)
    read = ((DELIVERY_TRACKER.get(node.status.code), node.time, node.status.code, None) for node in nodes)
    return CarrierReport(Tracking.of(Carrier.DELIVERY_TRACKER, told.tracking_number), _scans(read))


READERS: dict[Carrier, Callable[[bytes], CarrierReport]] = {
    Carrier.EASYPOST: _easypost,
    Carrier.AFTERSHIP: _aftership,
    Carrier.DELIVERY_TRACKER: _delivery_tracker,
}


class SignedCarriers:
    """`secret`: the shared secret by its name, `carrier-<carrier>`."""

    def __init__(self, secret: Callable[[str], str]) -> None:
        self._secret = secret

    def report(self, carrier: str, raw: bytes, signature: str) -> CarrierReport:
        if carrier not in READERS:
            raise UnknownCarrier()
        right = signed(self._secret(f"carrier-{carrier}"), raw)
        if not hmac.compare_digest(right.encode(), signature.strip().encode()):
            raise BadSignature()
        try:
            return READERS[Carrier(carrier)](raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise Malformed(f"this is no webhook of {carrier}") from problem


def signed(secret: str, raw: bytes) -> str:
    """The X-Signature of a body."""
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


class DueQueue:
    """`<stage>-keys-due`: one message for each shard that another run shall sweep."""

    def __init__(self, sqs: Callable[[], Any], name: str) -> None:
        self._sqs = sqs
        self._name = name

    def hand_on(self, shard: int) -> None:
        sqs = self._sqs()
        url = sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=msgspec.json.encode({"shard": shard}).decode())
