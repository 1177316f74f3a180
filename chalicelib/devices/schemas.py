"""What goes in and out: HTTP, AWS IoT's pre-provisioning hook and lifecycle events, and one fact."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from chalicelib.devices.model import Admission, Attempt, Certificate, Connection, Ordered, Shown, State, Why
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.logs import LogLineView

Serial = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{4,64}$(?!\n)", description="As it is engraved on the unit.")
]


class UnitRequest(Struct, frozen=True):
    serial: Serial


class OrderView(Struct, frozen=True):
    """`enrolment_code`: for the unit, good once and until `expires_at`; it is shown nowhere else."""

    car_id: str
    serial: str
    enrolment_code: str
    expires_at: datetime

    @classmethod
    def of(cls, ordered: Ordered) -> "OrderView":
        order = ordered.order
        return cls(order.car_id, order.serial, ordered.code, order.expires_at)


class CertificateView(Struct, frozen=True):
    """`closed_at`: when AWS IoT was told of its end; from then on it connects no more."""

    certificate_id: str
    serial: str
    state: State
    made_at: datetime
    in_force_at: datetime | None
    ended_at: datetime | None
    reason: Why | None
    closed_at: datetime | None

    @classmethod
    def of(cls, it: Certificate) -> "CertificateView":
        return cls(
            it.certificate_id,
            it.serial,
            it.state,
            it.made_at,
            it.in_force_at,
            it.ended_at,
            it.why,
            it.closed_at,
        )


class UnitView(Struct, frozen=True):
    """`serial`: of the unit in the car or ordered for it. `open_until`: so long its code still works."""

    car_id: str
    serial: str | None
    open_until: datetime | None
    certificates: list[CertificateView]
    log: list[LogLineView]

    @classmethod
    def of(cls, shown: Shown) -> "UnitView":
        unit, enrolment = shown.unit, shown.unit.enrolment
        unused = enrolment is not None and enrolment.certificate_id is None
        return cls(
            unit.car_id,
            unit.serial,
            enrolment.expires_at if enrolment is not None and unused else None,
            [CertificateView.of(each) for each in unit.certificates],
            [LogLineView.of(line) for line in shown.lines],
        )


def reason_of(query: dict[str, str]) -> Why:
    """Why operations take a unit out of its car."""
    allowed = [why.value for why in (Why.STOLEN, Why.REMOVED, Why.DEFECTIVE)]
    if query.get("reason") not in allowed:
        raise Malformed("a reason is needed", (("/reason", "one of " + ", ".join(allowed)),))
    return Why(query["reason"])


class Said(Struct, frozen=True, rename="pascal"):
    """What the unit says of itself. Whatever else it says, such as which car it wants to be, is not read."""

    serial: Serial
    code: Annotated[str, Meta(min_length=1, max_length=64)]


class HookEvent(Struct, frozen=True, rename="camel"):
    """docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html"""

    certificate_id: str
    claim_certificate_id: str = ""
    parameters: Any = None


def read_attempt(event: dict[str, Any], at: datetime) -> Attempt:
    """Without serial and code where the parameters do not fit."""
    it = msgspec.convert(event, HookEvent)
    try:
        said = msgspec.convert(it.parameters, Said)
    except msgspec.ValidationError:
        return Attempt("", "", it.certificate_id, it.claim_certificate_id, at)
    return Attempt(said.serial, said.code, it.certificate_id, it.claim_certificate_id, at)


def hook_answer(admission: Admission | None) -> dict[str, Any]:
    """Every parameter that decides anything is overridden: a unit never says which car it is."""
    if admission is None:
        return {"allowProvisioning": False}
    overrides = {"CarId": admission.car_id, "CommandKey": admission.command_key}
    return {"allowProvisioning": True, "parameterOverrides": overrides}


class LifecycleEvent(Struct, frozen=True):
    """As the topic rule hands it over (infra/iot.yaml): `principal` is the certificate's id.

    docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
    """

    client_id: str
    event: Literal["connected", "connect_failed"]
    at: Annotated[int, Meta(ge=0, le=9_999_999_999_999, description="epoch milliseconds, UTC")]
    principal: str = ""


def read_connection(event: dict[str, Any]) -> Connection:
    it = msgspec.convert(event, LifecycleEvent)
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=it.at)
    return Connection(it.client_id, it.principal, at, refused=it.event == "connect_failed")


class CertificateEnded(Struct, frozen=True):
    """Published, and heard again by this context: AWS IoT is to be told."""

    car_id: str
    serial: str
    certificate_id: str
    reason: Why
