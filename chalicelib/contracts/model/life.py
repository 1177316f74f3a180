"""The states of a contract, what leads from one to the next, and who may say so.

The rows come from the company's own process; a timer's event is written `T.name`.
"""

from enum import StrEnum

from chalicelib.kernel.states import Table


class Role(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    AGENT = "agent"
    SYSTEM = "system"
    """Other contexts' facts, the checks of outside offices, and timers."""


class State(StrEnum):
    APPLIED = "applied"
    AWAITING_PAYMENT = "awaiting_payment"
    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    AT_RISK = "at_risk"
    READY = "ready"
    ACTIVE = "active"
    SWAP_PENDING = "swap_pending"
    CANCEL_SCHEDULED = "cancel_scheduled"
    RETURN_SCHEDULED = "return_scheduled"
    RETURN_OVERDUE = "return_overdue"
    INSPECTION = "inspection"
    SETTLING = "settling"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    TERMINATED = "terminated"


class Event(StrEnum):
    DRIVERS_VERIFIED = "drivers_verified"
    VERIFICATION_FAILED = "verification_failed"
    PAID = "paid"
    VEHICLE_KEY_SLOT_ASSIGNED = "vehicle_key_slot_assigned"
    CAR_AND_ACCESS_READY = "car_and_access_ready"
    ACCESS_LOST = "access_lost"
    ACCESS_RESTORED = "access_restored"
    HANDOVER_CONFIRMED = "handover_confirmed"
    CANCEL = "cancel"
    RENEWED = "renewed"
    CANCEL_REQUESTED = "cancel_requested"
    UNCANCEL = "uncancel"
    SWAP_REQUESTED = "swap_requested"
    SWAP_DONE = "swap_done"
    SWAP_WITHDRAWN = "swap_withdrawn"
    TERM_END_NO_RENEW = "term_end_no_renew"
    BREACH_TERMINATE = "breach_terminate"
    VEHICLE_AND_KEYS_RECEIVED = "vehicle_and_keys_received"
    INSPECTED = "inspected"
    SETTLED = "settled"
    T_VERIFY_AGAIN = "T.verify_again"
    T_VERIFY_BY = "T.verify_by"
    T_PAY_BY = "T.pay_by"
    T_ASSIGN_BY = "T.assign_by"
    T_ACCESS_GATE = "T.access_gate"
    T_HANDOVER_AT = "T.handover_at"
    T_HANDOVER_WINDOW = "T.handover_window"
    T_RENEW_BY = "T.renew_by"
    T_SWAP_BY = "T.swap_by"
    T_TERM_END = "T.term_end"
    T_RETURN_BY = "T.return_by"
    T_RECOVER_BY = "T.recover_by"
    T_INSPECT_BY = "T.inspect_by"
    T_SETTLE_BY = "T.settle_by"


BY_SYSTEM = {Role.SYSTEM}
BY_OPS = {Role.OPS}
BY_OPS_OR_SYSTEM = {Role.OPS, Role.SYSTEM}
BY_AGENT_OR_OPS = {Role.AGENT, Role.OPS}
BY_CUSTOMER = {Role.CUSTOMER}
BY_CUSTOMER_OR_OPS = {Role.CUSTOMER, Role.OPS}

START = State.APPLIED
AWAITED = (State.PREPARING, State.AT_RISK, State.READY)
"""The car is chosen, and is to be handed over."""
IN_USE = (State.ACTIVE, State.SWAP_PENDING, State.CANCEL_SCHEDULED)
"""The customer has the car and may open it."""
DUE_BACK = (State.RETURN_SCHEDULED, State.RETURN_OVERDUE)

LIFE = Table[State, Event](
    (State.APPLIED, Event.DRIVERS_VERIFIED, State.AWAITING_PAYMENT, BY_SYSTEM),
    (State.APPLIED, Event.VERIFICATION_FAILED, State.REJECTED, BY_SYSTEM),
    (State.APPLIED, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.APPLIED, Event.T_VERIFY_AGAIN, State.APPLIED, BY_SYSTEM),
    (State.APPLIED, Event.T_VERIFY_BY, State.EXPIRED, BY_SYSTEM),
    (State.AWAITING_PAYMENT, Event.PAID, State.CONFIRMED, BY_SYSTEM),
    (State.AWAITING_PAYMENT, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.AWAITING_PAYMENT, Event.T_PAY_BY, State.EXPIRED, BY_SYSTEM),
    (State.CONFIRMED, Event.VEHICLE_KEY_SLOT_ASSIGNED, State.PREPARING, BY_OPS),
    (State.CONFIRMED, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.CONFIRMED, Event.T_ASSIGN_BY, State.CONFIRMED, BY_SYSTEM),
    (State.PREPARING, Event.CAR_AND_ACCESS_READY, State.READY, BY_SYSTEM),
    (State.PREPARING, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.PREPARING, Event.T_ACCESS_GATE, State.AT_RISK, BY_SYSTEM),
    (State.AT_RISK, Event.CAR_AND_ACCESS_READY, State.READY, BY_SYSTEM),
    (State.AT_RISK, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.AT_RISK, Event.T_HANDOVER_AT, State.AT_RISK, BY_SYSTEM),
    (State.READY, Event.HANDOVER_CONFIRMED, State.ACTIVE, BY_SYSTEM),
    (State.READY, Event.ACCESS_LOST, State.AT_RISK, BY_OPS),
    (State.READY, Event.CANCEL, State.CANCELLED, BY_CUSTOMER_OR_OPS),
    (State.READY, Event.T_HANDOVER_WINDOW, State.AT_RISK, BY_SYSTEM),
    *((state, Event.ACCESS_LOST, state, BY_OPS) for state in IN_USE),
    *((state, Event.ACCESS_RESTORED, state, BY_OPS_OR_SYSTEM) for state in IN_USE),
    (State.ACTIVE, Event.RENEWED, State.ACTIVE, BY_CUSTOMER),
    (State.ACTIVE, Event.CANCEL_REQUESTED, State.CANCEL_SCHEDULED, BY_CUSTOMER_OR_OPS),
    (State.ACTIVE, Event.SWAP_REQUESTED, State.SWAP_PENDING, BY_CUSTOMER_OR_OPS),
    (State.ACTIVE, Event.TERM_END_NO_RENEW, State.RETURN_SCHEDULED, BY_SYSTEM),
    (State.ACTIVE, Event.T_RENEW_BY, State.ACTIVE, BY_SYSTEM),
    (State.ACTIVE, Event.BREACH_TERMINATE, State.RETURN_SCHEDULED, BY_OPS),
    (State.SWAP_PENDING, Event.SWAP_DONE, State.ACTIVE, BY_AGENT_OR_OPS),
    (State.SWAP_PENDING, Event.SWAP_WITHDRAWN, State.ACTIVE, BY_CUSTOMER_OR_OPS),
    (State.SWAP_PENDING, Event.T_SWAP_BY, State.SWAP_PENDING, BY_SYSTEM),
    (State.CANCEL_SCHEDULED, Event.UNCANCEL, State.ACTIVE, BY_CUSTOMER_OR_OPS),
    (State.CANCEL_SCHEDULED, Event.T_TERM_END, State.RETURN_SCHEDULED, BY_SYSTEM),
    (State.RETURN_SCHEDULED, Event.VEHICLE_AND_KEYS_RECEIVED, State.INSPECTION, BY_OPS_OR_SYSTEM),
    (State.RETURN_SCHEDULED, Event.T_RETURN_BY, State.RETURN_OVERDUE, BY_SYSTEM),
    (State.RETURN_OVERDUE, Event.VEHICLE_AND_KEYS_RECEIVED, State.INSPECTION, BY_OPS_OR_SYSTEM),
    (State.RETURN_OVERDUE, Event.T_RECOVER_BY, State.TERMINATED, BY_SYSTEM),
    (State.INSPECTION, Event.INSPECTED, State.SETTLING, BY_AGENT_OR_OPS),
    (State.INSPECTION, Event.T_INSPECT_BY, State.INSPECTION, BY_SYSTEM),
    (State.SETTLING, Event.SETTLED, State.CLOSED, BY_SYSTEM),
    (State.SETTLING, Event.T_SETTLE_BY, State.SETTLING, BY_SYSTEM),
)


class Action(StrEnum):
    """What a customer may do by themselves; pages take their buttons from here."""

    PAY = "pay"
    CANCEL = "cancel"
    UNCANCEL = "uncancel"
    RENEW = "renew"
    SWAP = "swap"
    WITHDRAW_SWAP = "withdraw_swap"
    ADD_DRIVER = "add_driver"
    REMOVE_DRIVER = "remove_driver"
    RESCHEDULE_HANDOVER = "reschedule_handover"
    RESCHEDULE_RETURN = "reschedule_return"
    PAYMENT_METHOD = "payment_method"


BY_EVENT = {
    Event.CANCEL: Action.CANCEL,
    Event.CANCEL_REQUESTED: Action.CANCEL,
    Event.UNCANCEL: Action.UNCANCEL,
    Event.RENEWED: Action.RENEW,
    Event.SWAP_REQUESTED: Action.SWAP,
    Event.SWAP_WITHDRAWN: Action.WITHDRAW_SWAP,
}
MOVABLE = (State.CONFIRMED, *AWAITED)
WITHIN = {
    Action.PAY: (State.AWAITING_PAYMENT,),
    Action.ADD_DRIVER: (*MOVABLE, *IN_USE),
    Action.REMOVE_DRIVER: (*MOVABLE, *IN_USE),
    Action.RESCHEDULE_HANDOVER: MOVABLE,
    Action.RESCHEDULE_RETURN: DUE_BACK,
    Action.PAYMENT_METHOD: (*MOVABLE, *IN_USE, *DUE_BACK, State.INSPECTION, State.SETTLING),
}
"""Actions that leave the state as it is, and the states they are possible in."""


def actions(state: State) -> tuple[Action, ...]:
    """In the order in which `Action` names them."""
    rows = {BY_EVENT[event] for event in LIFE.choices(state, Role.CUSTOMER)}
    return tuple(action for action in Action if action in rows or state in WITHIN.get(action, ()))
