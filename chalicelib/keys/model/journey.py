"""What can happen to a key on its way, where it then stands, and who may say so."""

from enum import StrEnum

from chalicelib.kernel.errors import Conflict, Forbidden, NotFound, Refused, TooMany, Unauthenticated
from chalicelib.kernel.states import Table


class UnknownShipment(NotFound):
    """No key is on its way for this contract."""


class UnknownKeyTag(NotFound):
    """No shipment carries a key with this tag."""


class UnknownCarrier(NotFound):
    """We do not work with this carrier."""


class BadSignature(Unauthenticated):
    """This webhook is not signed by its carrier."""


class NotYourScan(Forbidden):
    """This scan is made by somebody else."""


class LabelMismatch(Refused):
    """The label does not carry the address this key goes to: do not pack it."""


class ClockWrong(Refused):
    """The scanner's clock is wrong: set it and scan again."""


class HistoryFull(TooMany):
    """So much cannot happen to one key."""


class TrackingNumberTaken(Refused):
    """This tracking number belongs to another key."""


class KeyTagTaken(Conflict):
    """A key with this tag is already on its way."""


class AlreadyPlanned(Conflict):
    """This contract's shipment exists."""


class MovedOn(Conflict):
    """The shipment changed while we looked."""


class UnknownKey(NotFound):
    """No key has this tag."""


class UnknownEvent(NotFound):
    """Nothing by that name happened to this shipment."""


class NotCorrectable(Refused):
    """Only what people and carriers told can be declared an error."""


class AlreadyCorrected(Conflict):
    """This event was declared an error before, in other words."""


class AlreadyAnnounced(Conflict):
    """This request has been heard."""


class GoneOnAnotherWay(Refused):
    """This key has been sent to somebody else since."""


class DayIsOver(Refused):
    """A calendar is only changed for days to come."""


class Role(StrEnum):
    PACKER = "packer"
    COURIER = "courier"
    AGENT = "agent"
    OPS = "ops"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    CAR = "car"
    CLOCK = "clock"


class State(StrEnum):
    PLANNED = "planned"
    PACKED = "packed"
    HANDED_TO_CARRIER = "handed_to_carrier"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    INTERCEPTING = "intercepting"
    EXCEPTION = "exception"
    STALLED = "stalled"
    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"
    WRONG_KEY = "wrong_key"
    WRONG_ADDRESS = "wrong_address"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    VERIFIED = "verified"
    RESTOCKED = "restocked"
    WRITTEN_OFF = "written_off"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """Of events at the same instant, the one named first here happened first."""

    CANCEL = "cancel"
    ADDRESS_CHANGED = "address_changed"
    PACK_SCAN_MISMATCH = "pack_scan_mismatch"
    PACK_SCAN_OK = "pack_scan_ok"
    CARRIER_ACCEPT = "carrier_accept"
    SCAN_TRANSIT = "scan_transit"
    REDIRECTED = "redirected"
    SCAN_OFD = "scan_ofd"
    SCAN_ATTEMPT_FAILED = "scan_attempt_failed"
    SCAN_EXCEPTION = "scan_exception"
    SCAN_WRONG_ADDRESS = "scan_wrong_address"
    SCAN_DELIVERED = "scan_delivered"
    HANDED_IN_PERSON = "handed_in_person"
    POD_FAR_FROM_ADDRESS = "pod_far_from_address"
    CUSTOMER_NOT_RECEIVED = "customer_not_received"
    CUSTOMER_SCAN_MISMATCH = "customer_scan_mismatch"
    HELD_BY_ANOTHER = "held_by_another"
    CUSTOMER_SCAN_MATCH = "customer_scan_match"
    PHYSICAL_UNLOCK_OK = "physical_unlock_ok"
    FOUND = "found"
    RECOVERED = "recovered"
    SCAN_RETURNING = "scan_returning"
    SCAN_RECEIVED_HUB = "scan_received_hub"
    AUDIT_OK = "audit_ok"
    REKEYED = "rekeyed"
    DECLARED_IN_ERROR = "declared_in_error"
    T_PACK_BY = "T.pack_by"
    T_HANDOFF_BY = "T.handoff_by"
    T_FIRST_SCAN_BY = "T.first_scan_by"
    T_SCAN_GAP = "T.scan_gap"
    T_REDELIVER_BY = "T.redeliver_by"
    T_INTERCEPT_BY = "T.intercept_by"
    T_DECLARE_LOST = "T.declare_lost"
    T_VERIFY_BY = "T.verify_by"
    T_RECOVER_BY = "T.recover_by"
    T_AUDIT_BY = "T.audit_by"
    T_REKEY_BY = "T.rekey_by"
    T_ESCALATE = "T.escalate"


IN_ORDER = {event: rank for rank, event in enumerate(Event)}
START = State.PLANNED

CARRIER_WORDS = {
    Event.SCAN_TRANSIT: State.IN_TRANSIT,
    Event.SCAN_OFD: State.OUT_FOR_DELIVERY,
    Event.SCAN_ATTEMPT_FAILED: State.ATTEMPT_FAILED,
    Event.SCAN_EXCEPTION: State.EXCEPTION,
    Event.SCAN_WRONG_ADDRESS: State.WRONG_ADDRESS,
    Event.SCAN_DELIVERED: State.DELIVERED,
    Event.SCAN_RETURNING: State.RETURNING,
}
WITH_CARRIER = (
    State.HANDED_TO_CARRIER,
    State.IN_TRANSIT,
    State.OUT_FOR_DELIVERY,
    State.ATTEMPT_FAILED,
    State.EXCEPTION,
    State.STALLED,
)
"""A key that is no longer wanted where it goes is intercepted from all of these."""
ON_THE_WAY = (State.PACKED, *WITH_CARRIER, State.LOST)
"""Carriers skip scans and repeat them: from all of these, each of their words leads to the same place."""
MAYBE_WITH_CUSTOMER = (
    State.PLANNED,
    *ON_THE_WAY,
    State.INTERCEPTING,
    State.DELIVERED,
    State.UNCONFIRMED,
    State.WRONG_ADDRESS,
)
OUT_OF_HOUSE = (*MAYBE_WITH_CUSTOMER[1:], State.WRONG_KEY, State.RETURNING)
OPEN = (State.PLANNED, *OUT_OF_HOUSE, State.RETURNED)

TROUBLES = (
    State.STALLED,
    State.WRONG_ADDRESS,
    State.WRONG_KEY,
    State.EXCEPTION,
    State.UNCONFIRMED,
    State.LOST,
)
"""What operations must see, worst news for a waiting customer first."""
STAYING = (State.PLANNED, State.PACKED, State.RETURNED)
"""Where silence changes nothing, and is told again and again."""

COURIERS = {Role.CARRIER, Role.COURIER, Role.AGENT}
CLOCK = {Role.CLOCK}

JOURNEY = Table[State, Event](
    (State.PLANNED, Event.PACK_SCAN_OK, State.PACKED, {Role.PACKER}),
    (State.PLANNED, Event.PACK_SCAN_MISMATCH, State.PLANNED, {Role.PACKER}),
    (State.PLANNED, Event.ADDRESS_CHANGED, State.PLANNED, {Role.OPS}),
    (State.PLANNED, Event.CANCEL, State.CANCELLED, {Role.OPS}),
    # The key of a swapped car comes with the car.
    (State.PLANNED, Event.HANDED_IN_PERSON, State.DELIVERED, {Role.AGENT}),
    (State.PLANNED, Event.T_PACK_BY, State.PLANNED, CLOCK),
    (State.PACKED, Event.CARRIER_ACCEPT, State.HANDED_TO_CARRIER, {*COURIERS, Role.PACKER}),
    (State.PACKED, Event.PACK_SCAN_MISMATCH, State.PACKED, {Role.PACKER}),
    (State.PACKED, Event.ADDRESS_CHANGED, State.PLANNED, {Role.OPS}),
    (State.PACKED, Event.CANCEL, State.CANCELLED, {Role.OPS}),
    (State.PACKED, Event.T_HANDOFF_BY, State.PACKED, CLOCK),
    *((state, word, then, COURIERS) for state in ON_THE_WAY for word, then in CARRIER_WORDS.items()),
    (State.HANDED_TO_CARRIER, Event.T_FIRST_SCAN_BY, State.STALLED, CLOCK),
    *(
        (state, event, State.INTERCEPTING, {Role.OPS})
        for state in WITH_CARRIER
        for event in (Event.ADDRESS_CHANGED, Event.CANCEL)
    ),
    (State.IN_TRANSIT, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.OUT_FOR_DELIVERY, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.ATTEMPT_FAILED, Event.T_REDELIVER_BY, State.STALLED, CLOCK),
    (State.INTERCEPTING, Event.REDIRECTED, State.IN_TRANSIT, {Role.OPS}),
    (State.INTERCEPTING, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.INTERCEPTING, Event.SCAN_DELIVERED, State.WRONG_ADDRESS, COURIERS),
    (State.INTERCEPTING, Event.T_INTERCEPT_BY, State.STALLED, CLOCK),
    (State.EXCEPTION, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    (State.STALLED, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    (State.DELIVERED, Event.POD_FAR_FROM_ADDRESS, State.WRONG_ADDRESS, COURIERS),
    (State.DELIVERED, Event.CUSTOMER_NOT_RECEIVED, State.WRONG_ADDRESS, {Role.CUSTOMER}),
    (State.DELIVERED, Event.PHYSICAL_UNLOCK_OK, State.VERIFIED, {Role.CAR}),
    (State.DELIVERED, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.DELIVERED, Event.T_VERIFY_BY, State.UNCONFIRMED, CLOCK),
    (State.UNCONFIRMED, Event.CUSTOMER_NOT_RECEIVED, State.WRONG_ADDRESS, {Role.CUSTOMER}),
    (State.UNCONFIRMED, Event.PHYSICAL_UNLOCK_OK, State.VERIFIED, {Role.CAR}),
    (State.UNCONFIRMED, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.UNCONFIRMED, Event.T_DECLARE_LOST, State.LOST, CLOCK),
    # A parcel that moves again has had its address corrected; a "delivered" repeated there proves nothing.
    (State.WRONG_ADDRESS, Event.SCAN_TRANSIT, State.IN_TRANSIT, COURIERS),
    (State.WRONG_ADDRESS, Event.SCAN_OFD, State.OUT_FOR_DELIVERY, COURIERS),
    (State.WRONG_ADDRESS, Event.SCAN_RETURNING, State.RETURNING, COURIERS),
    (State.WRONG_ADDRESS, Event.RECOVERED, State.RETURNING, {Role.COURIER, Role.AGENT}),
    (State.WRONG_ADDRESS, Event.T_RECOVER_BY, State.LOST, CLOCK),
    (State.WRONG_KEY, Event.RECOVERED, State.RETURNING, {Role.COURIER, Role.AGENT}),
    (State.WRONG_KEY, Event.T_RECOVER_BY, State.LOST, CLOCK),
    # On its way back a parcel is scanned and "delivered" too: to us.
    *(
        (State.RETURNING, word, State.RETURNING, COURIERS)
        for word in (Event.SCAN_TRANSIT, Event.SCAN_OFD, Event.SCAN_DELIVERED, Event.SCAN_RETURNING)
    ),
    (State.RETURNING, Event.T_SCAN_GAP, State.STALLED, CLOCK),
    (State.RETURNED, Event.AUDIT_OK, State.RESTOCKED, {Role.PACKER}),
    (State.RETURNED, Event.T_AUDIT_BY, State.RETURNED, CLOCK),
    (State.LOST, Event.FOUND, State.RETURNING, {Role.PACKER, Role.COURIER, Role.AGENT, Role.OPS}),
    (State.LOST, Event.REKEYED, State.WRITTEN_OFF, {Role.OPS}),
    (State.LOST, Event.T_REKEY_BY, State.LOST, CLOCK),
    *((state, Event.T_ESCALATE, state, CLOCK) for state in (*STAYING, *TROUBLES)),
    # What somebody holds in their hand outranks every scan.
    *((state, Event.CUSTOMER_SCAN_MATCH, State.VERIFIED, {Role.CUSTOMER}) for state in OPEN),
    *(
        (state, Event.CUSTOMER_SCAN_MISMATCH, State.WRONG_KEY, {Role.CUSTOMER})
        for state in MAYBE_WITH_CUSTOMER
    ),
    *((state, Event.HELD_BY_ANOTHER, State.WRONG_KEY, {Role.CUSTOMER}) for state in MAYBE_WITH_CUSTOMER),
    *((state, Event.SCAN_RECEIVED_HUB, State.RETURNED, {Role.PACKER}) for state in OUT_OF_HOUSE),
)
