"""Who plays in the recovery story: two hundred contracts of a promotion, and what becomes of each key.

Fresh ids in every run; the same kinds in the same numbers.
"""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from chalicelib.contracts.model import label_hash
from infra.local.client import Api

WORKERS = 8
CARRIERS = ("easypost", "aftership", "delivery-tracker")
KINDS = {"late": 14, "wrong_address": 8, "wrong_key": 8, "fine": 170}
"""`wrong_key` comes in pairs: two keys swapped, of which one customer scans."""
OFFLINE = {"late": 2, "wrong_address": 1, "wrong_key": 0, "fine": 0}
"""Cars which are out of reach on purpose: their customers stay stuck, and each is named."""

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
    partner: int = -1
    outcome: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def stranded(self) -> bool:
        return self.kind != "fine"

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


def each(parts: list[T], act: Callable[[T], R], done: Callable[[], Any] = lambda: None) -> list[R]:
    """`act` on every part, eight at a time; `done` after each, for a progress display."""

    def run(part: T) -> R:
        result = act(part)
        done()
        return result

    with ThreadPoolExecutor(WORKERS) as workers:
        return list(workers.map(run, parts))


@dataclass(frozen=True)
class Stage:
    """The deployed API as its several callers see it."""

    base: str
    ops: Api
    packer: Api

    def customer(self, part: Part) -> Api:
        return Api(self.base, token=part.token)


def sign(stage: Stage, part: Part) -> None:
    """The customer signs, and operations assign the car and its key."""
    stage.ops.post(
        "/v1/ops/cars",
        {"car_id": part.car_id, "plate": part.plate, "model": "Kia Ray", "key_tags": [part.key_tag]},
    ).expect(200, 201)
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
            "plan_id": "promo",
            "months": 6,
            "handover": handover,
            "card_token": "tok_story",
            "drivers": [driver],
        },
    )
    part.contract_id = signed.expect(201)["contract_id"]
    stage.ops.post(
        f"/v1/ops/contracts/{part.contract_id}/assign", {"car_id": part.car_id, "key_tag": part.key_tag}
    ).expect(200)


def pack(stage: Stage, part: Part, at: datetime) -> None:
    """The packer scans the tag and the label, and the parcel gets its number."""
    stage.packer.post(
        "/v1/scans",
        {
            "event": "pack",
            "key_tag": part.key_tag,
            "label_hash": label_hash(part.address),
            "occurred_at": at.isoformat(),
            "carrier": part.carrier,
            "tracking_number": part.tracking,
        },
    ).expect(200, 201)


def scanners(parts: list[Part]) -> Iterator[Part]:
    """Whose key arrived and who scans it: everybody but the late ones and one of each swapped pair."""
    for part in parts:
        if part.kind in ("fine", "wrong_address") or (
            part.kind == "wrong_key" and part.number < part.partner
        ):
            yield part
