"""Facts as contracts and appointments publish them, told about the contract of one customer."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel.clock import stamp
from chalicelib.kernel.facts import Fact
from tests.conftest import NOON

FEE = 310_000
"""10,000 a day in a month of 31 days."""
START = NOON
KIM = "con_kim"


def told(kind: str, said_at: datetime = NOON, *, id: str = "", contract_id: str = KIM, **data: Any) -> Fact:
    """Datetimes in the data are stamped."""
    plain = {name: stamp(each) if isinstance(each, datetime) else each for name, each in data.items()}
    source = "appointments" if kind in ("AppointmentMoved", "LockoutEnded") else "contracts"
    return Fact.of(
        kind,
        source,
        contract_id,
        at=said_at,
        id=id or f"evt_{kind}_{stamp(said_at)}",
        data={"contract_id": contract_id, **plain},
    )


def paid(at: datetime = NOON, months: int = 3, fee: int = FEE, **other: Any) -> Fact:
    data: dict[str, Any] = {
        "customer_id": "kim",
        "monthly_fee": fee,
        "months": months,
        "amount": fee,
        "handover_at": NOON + timedelta(days=2),
        "checkout_id": "chk_1",
        "payment_id": "pay_1",
    }
    return told("ContractPaid", at, **(data | other))


def activated(at: datetime = START, proven_at: datetime | None = None, **other: Any) -> Fact:
    return told("ContractActivated", at, handed_over_at=at, access_proven_at=proven_at or at, **other)


def lost(at: datetime, fault: str = "ours", said_at: datetime | None = None, **other: Any) -> Fact:
    return told("AccessLost", said_at or at, at=at, fault=fault, cause="key_lost", **other)


def restored(at: datetime, said_at: datetime | None = None, **other: Any) -> Fact:
    return told("AccessRestored", said_at or at, at=at, **other)


def returned(at: datetime) -> Fact:
    return told("ContractReturned", at, at=at)


def inspected(at: datetime, **charges: int) -> Fact:
    lines = [{"what": what, "amount": amount} for what, amount in charges.items()]
    return told("ContractInspected", at, charges=lines)


def ending(at: datetime, ends_at: datetime, why: str = "cancel", **lines: int) -> Fact:
    said = [{"what": what, "amount": amount} for what, amount in lines.items()]
    return told("ContractEnding", at, ends_at=ends_at, lines=said, charge=-sum(lines.values()), why=why)


def cancelled(at: datetime, **lines: int) -> Fact:
    said = [{"what": what, "amount": amount} for what, amount in lines.items()]
    return told("ContractCancelled", at, cause="customer", refund=0, charge=0, lines=said)
