"""Who plays in the recovery story: two hundred contracts of a promotion, and what becomes of each key.

Fresh ids in every run; the same kinds in the same numbers.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from chalicelib.contracts.model import label_hash
from infra.local import histories
from infra.local.client import Api, Unexpected

WORKERS = 8
CARD = "tok_story"
CARRIERS = ("easypost", "aftership", "delivery-tracker")
KINDS = {"late": 14, "wrong_address": 8, "wrong_key": 8, "fine": 170}
"""`wrong_key` comes in pairs: two keys swapped, of which one customer scans."""
OFFLINE = {"late": 2, "wrong_address": 1, "wrong_key": 0, "fine": 0}
"""Cars which are out of reach on purpose: their customers stay stuck, and each is named."""

LATE = ("late", "late_at_the_door", "never_scanned")
PATIENCE_SECONDS = 180.0
"""A licence office or a payment gateway that did not answer is asked again after a minute."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Part:
    """One contract of the promotion, filled in while the scene is set."""

    number: int
    kind: str
    carrier: str
    offline: bool
    username: str
    phone: str
    birth_date: str
    licence_no: str
    address: str
    car_id: str
    plate: str
    key_tag: str
    tracking: str
    token: str = ""
    contract_id: str = ""
    paid: int = 0
    partner: int = -1
    key_state: str = ""
    outcome: str = ""

    @property
    def stranded(self) -> bool:
        return self.kind != "fine"

    @property
    def history(self) -> str:
        """Which of its carrier's histories this key has."""
        if self.kind == "late":
            return LATE[self.number // len(CARRIERS) % len(LATE)]
        if self.kind == "wrong_address" and self.carrier == "aftership" and self.number % 2:
            return "delivered_elsewhere"
        if self.kind == "wrong_address":
            return "wrong_address"
        return "attempt_then_delivered" if self.number % 5 == 0 else "delivered"

    @property
    def proof(self) -> str:
        """Six digits of the birth date: what the text message does not say."""
        return self.birth_date.replace("-", "")[2:]


def cast() -> list[Part]:
    run = f"{secrets.randbelow(10_000):04d}"
    mark = secrets.token_hex(3)
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    parts = [_part(number, kind, run, mark) for number, kind in enumerate(kinds)]
    for kind, count in OFFLINE.items():
        for part in islice((part for part in parts if part.kind == kind), count):
            part.offline = True
    swapped = [part for part in parts if part.kind == "wrong_key"]
    for one, other in zip(swapped[::2], swapped[1::2], strict=True):
        one.partner, other.partner = other.number, one.number
    return parts


def _part(number: int, kind: str, run: str, mark: str) -> Part:
    return Part(
        number=number,
        kind=kind,
        carrier=CARRIERS[number % len(CARRIERS)],
        offline=False,
        username=f"story-{mark}-{number:03d}",
        phone=f"+8210{run}{number:04d}",
        birth_date=f"{1970 + number % 35}-{1 + number % 12:02d}-{1 + number % 28:02d}",
        licence_no=f"11-{number % 100:02d}-{run}{number:02d}-{number % 90 + 10:02d}",
        address=f"서울특별시 마포구 월드컵로 {number + 1}, {number % 20 + 1}01호",
        car_id=f"story-{mark}-{number:03d}",
        plate=f"{100 + number}허 {1000 + number}",
        key_tag=f"TAG-{mark}-{number:03d}",
        tracking=f"{secrets.randbelow(10**12):012d}",
    )


def each(parts: Iterable[T], act: Callable[[T], R]) -> list[R]:
    """`act` on every part, eight at a time."""
    with ThreadPoolExecutor(WORKERS) as workers:
        return list(workers.map(act, parts))


@dataclass(frozen=True)
class Stage:
    """The deployed API as its several callers see it."""

    base: str
    ops: Api
    packer: Api

    @property
    def public(self) -> Api:
        return Api(self.base)

    def customer(self, part: Part) -> Api:
        return Api(self.base, token=part.token)


def sign(stage: Stage, part: Part) -> None:
    driver = {
        "name": f"손님 {part.number + 1}",
        "phone": part.phone,
        "birth_date": part.birth_date,
        "licence_no": part.licence_no,
    }
    handover = {"at": (datetime.now(UTC) + timedelta(days=9)).isoformat(), "address": part.address}
    signed = stage.customer(part).post(
        "/v1/contracts",
        {
            "plan_id": "promotion",
            "months": 6,
            "handover": handover,
            "card_token": CARD,
            "drivers": [driver],
        },
    )
    part.contract_id = signed.expect(201)["contract_id"]


def settle(stage: Stage, part: Part) -> None:
    part.paid = pay(stage.customer(part), part.contract_id)


def pay(customer: Api, contract_id: str, card_token: str = CARD) -> int:
    """Once the licence is checked, the first month is reserved at the server's price and paid; how much."""
    until(lambda: customer.get(f"/v1/contracts/{contract_id}").expect(200), "state", "awaiting_payment")
    order = {"order_id": contract_id, "items": [{"kind": "contract_fee", "ref": contract_id}]}
    checkout = customer.post("/v1/checkouts", order).expect(201)
    path = f"/v1/checkouts/{checkout['checkout_id']}"
    customer.post(f"{path}/capture", {"card_token": card_token}).expect(200, 202)
    return int(until(lambda: customer.get(path).expect(200), "state", "CAPTURED")["payable"])


def until(look: Callable[[], Any], name: str, wanted: str) -> Any:
    """What was seen when `name` was as wanted at last; Unexpected when patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (seen := look())[name] != wanted:
        if time.monotonic() > end:
            raise Unexpected(f"{name} is {seen[name]} and not {wanted} after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.3)
    return seen


def assign(stage: Stage, part: Part) -> None:
    """Operations give the contract its car and its key."""
    car = {"car_id": part.car_id, "plate": part.plate, "model": "Kia Ray", "key_tags": [part.key_tag]}
    stage.ops.post("/v1/ops/cars", car).expect(200, 201)
    given = {"car_id": part.car_id, "key_tag": part.key_tag}
    stage.ops.post(f"/v1/ops/contracts/{part.contract_id}/assign", given).expect(200)


def pack(stage: Stage, part: Part, delta: timedelta) -> None:
    """The packer scans tag and label, the parcel gets its number, the carrier's driver takes it."""
    told = histories.history(part.carrier, part.history)
    tag = {"key_tag": part.key_tag, "label_hash": label_hash(part.address)}
    parcel = {
        "carrier": part.carrier,
        "tracking_number": part.tracking,
        "label_position": told.label_position,
    }
    for event, moment, more in (("pack", "packed_at", parcel), ("handoff", "handed_at", {})):
        at = (histories.moment(moment) + delta).isoformat()
        stage.packer.post("/v1/scans", {"event": event, "occurred_at": at, **tag, **more}).expect(200)


def receipt(part: Part, parts: list[Part]) -> dict[str, Any] | None:
    """What this customer says of their key: nothing when none came, or when the other of a pair is faster."""
    if part.kind == "late" or part.number > part.partner > -1:
        return None
    if part.kind == "wrong_address":
        return histories.history(part.carrier, part.history).receipt
    held = parts[part.partner] if part.kind == "wrong_key" else part
    return {"key_tag": held.key_tag}
