"""Demo data, put in through the deployed API as operations would: people of each role, cars, one campaign.

Plans are not here: they are the company's (chalicelib/contracts/model.py).
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local import people
from infra.local.car import Broker
from infra.local.client import Api
from infra.local.place import LOCAL
from infra.local.things import Workshop

ROLES: dict[str, tuple[str, ...]] = {
    "ops": ("ops",),
    "ops2": ("ops",),
    "customer": (),
    "driver": (),
    "packer": ("packer",),
    "courier": ("courier",),
    "agent": ("agent",),
    "sponsor": ("sponsor",),
}
CARS = 40
WITH_UNIT = 30
"""The first so many have a telematics unit."""
ENROLLED = 2
"""The first so many of these enrolled themselves, as a unit does in a workshop."""

BEHAVIOURS: dict[str, list[str]] = {
    "car-0027": ["slow:3"],
    "car-0028": ["moving"],
    "car-0029": ["offline"],
    "car-0030": ["offline"],
}
BEHAVIOURS_FILE = LOCAL / "behaviours.json"
MODELS = ("Casper", "Avante", "Kona", "Ioniq 5")
CAMPAIGN = {"name": "First month", "kind": "fixed", "value": 5000, "budget": 3_000_000, "per_user_limit": 1}
SPONSOR = {"sponsor_id": "sky-air", "name": "Sky Air"}
SPONSORED = {**CAMPAIGN, "name": "Sky Air miles", "sponsor_id": SPONSOR["sponsor_id"], "sponsor_percent": 50}
WORKERS = 4


def users(cognito: Any, pool_id: str) -> dict[str, dict[str, str]]:
    """By role, as `.local/stack.json` has them."""
    made = {role: people.create(cognito, pool_id, role, groups) for role, groups in ROLES.items()}
    return {role: {"username": user.username, "password": user.password} for role, user in made.items()}


def car_ids() -> list[str]:
    return [f"car-{number:04d}" for number in range(1, CARS + 1)]


def load(ops: Api, workshop: Workshop, broker: Broker, sponsor: str) -> None:
    """Safe to repeat: what is there stays as it is. `sponsor`: the sponsor's person, by the pool's `sub`."""
    ids = car_ids()
    _each(lambda number: _register(ops, number, ids[number]), range(CARS))
    for car_id in ids[:ENROLLED]:
        workshop.build_in(ops, broker, car_id)
    _each(workshop.provision, ids[ENROLLED:WITH_UNIT])
    BEHAVIOURS_FILE.write_text(json.dumps(BEHAVIOURS))
    ops.post("/v1/ops/campaigns", CAMPAIGN, key="demo-campaign").expect(201)
    ops.post("/v1/ops/sponsors", SPONSOR).expect(201)
    ops.post(f"/v1/ops/sponsors/{SPONSOR['sponsor_id']}/people", {"subject": sponsor}).expect(201)
    ops.post("/v1/ops/campaigns", SPONSORED, key="demo-sponsored").expect(201)


def _register(ops: Api, number: int, car_id: str) -> None:
    tags = [f"tag-{car_id[4:]}-{key}" for key in ("a", "b")]
    plate = f"{10 + number}가 {1000 + number * 7}"
    car = {"car_id": car_id, "plate": plate, "model": MODELS[number % len(MODELS)], "key_tags": tags}
    ops.post("/v1/ops/cars", car).expect(201)


def _each(act: Any, over: Iterable[Any]) -> None:
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(act, over))
