"""Plays each measured case once on the strict DynamoDB and keeps what crossed the border to AWS.

Each case is played twice and the second time is kept, when caches are warm: the gateway event, each call
with its arguments, and what AWS answered.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from tests.bench.wire import gateway_event

Event = dict[str, Any]
OPS = {"sub": "olga", "cognito:groups": "[ops]"}
KIM = {"sub": "kim"}
SECRETS = ("command-key", "link-key", "code-key")
CAR = "car-0001"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
READS = ("GetItem", "Query", "GetSecretValue")


@dataclass(frozen=True)
class Call:
    """One AWS call. Bytes in the arguments are {"base64": text}."""

    service: str
    operation: str
    arguments: dict[str, Any]
    answer: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`calls`: of the second play. `before`: every read so far, also of what is remembered.
    `rows`: by key in JSON, what was updated, as it stood afterwards."""

    name: str
    event: Event
    calls: list[Call]
    before: list[Call]
    rows: dict[str, dict[str, Any]]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def unplain(value: Any) -> Any:
    """The arguments as they were."""
    if isinstance(value, dict):
        if set(value) == {"base64"}:
            return base64.b64decode(value["base64"])
        return {name: unplain(each) for name, each in value.items()}
    return [unplain(each) for each in value] if isinstance(value, list) else value


@contextmanager
def recorded() -> Iterator[list[Call]]:
    calls: list[Call] = []
    clients: Any = BaseClient
    real = clients._make_api_call

    def spy(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        answer = real(self, operation, arguments)
        body = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        kept = {name: value for name, value in arguments.items() if name != "ClientRequestToken"}
        service = self.meta.service_model.service_name
        calls.append(Call(service, operation, _plain(kept), json.loads(json.dumps(body, default=str))))
        return answer

    clients._make_api_call = spy
    try:
        yield calls
    finally:
        clients._make_api_call = real


def _written(calls: list[Call]) -> Iterator[tuple[str, dict[str, Any]]]:
    from chalicelib.kernel import aws

    requests = [call.arguments for call in calls]
    requests += [next(iter(item.values())) for each in requests for item in each.get("TransactItems", [])]
    for request in requests:
        if "UpdateExpression" in request:
            row = aws.client("dynamodb").get_item(TableName=request["TableName"], Key=request["Key"])
            yield json.dumps(request["Key"], sort_keys=True), row["Item"]


class Shop:
    """The whole application on the strict DynamoDB, driven by gateway events."""

    def __init__(self, every: list[Call]) -> None:
        from app import app
        from chalicelib.kernel import aws
        from tests.conftest import table_definitions

        self._app, self._every = app, every
        for table in table_definitions():
            aws.client("dynamodb").create_table(**table)
        for name in SECRETS:
            aws.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString="m" * 40)

    def ask(self, event: Event) -> Any:
        answer = self._app(event, None)
        if answer["statusCode"] >= 300:
            raise AssertionError(f"{event['resource']}: {answer['statusCode']} {answer['body']}")
        return answer

    def post(self, resource: str, path: dict[str, str], body: Any, who: dict[str, str], key: str) -> Any:
        event = gateway_event("POST", resource, path, body, {"Idempotency-Key": key}, who)
        return json.loads(self.ask(event)["body"] or "null")

    def kept(self, name: str, events: Callable[[int], Event]) -> Case:
        self.ask(events(1))
        return self.once(name, events(2), self.ask)

    def once(self, name: str, event: Event, play: Callable[[Event], Any]) -> Case:
        with recorded() as calls:
            play(event)
        before = [call for call in self._every if call.operation in READS]
        return Case(name, event, calls, before, dict(_written(calls)))


def _signed(shop: Shop, key: str) -> str:
    driver = {
        "name": "김하나",
        "phone": "010-1234-5678",
        "birth_date": "1990-03-21",
        "licence_no": "11-90-123456-78",
    }
    order = {
        "plan_id": "promotion",
        "months": 6,
        "handover": {
            "at": (datetime.now(UTC) + timedelta(days=9)).isoformat(),
            "address": "서울특별시 중구 세종대로 110",
        },
        "card_token": "tok_1",
        "drivers": [driver],
    }
    return str(shop.post("/v1/contracts", {}, order, KIM, key)["contract_id"])


def _with_a_car(shop: Shop) -> str:
    from tests.contracts.examples import confirmed

    contract_id = _signed(shop, "sign")
    confirmed(contract_id, amount=370_000)
    car = {"car_id": CAR, "plate": "12가 3456", "model": "Ray", "key_tags": ["tag-1"]}
    shop.post("/v1/ops/cars", {}, car, OPS, "car")
    assigned = {"car_id": CAR, "key_tag": "tag-1"}
    shop.post("/v1/ops/contracts/{contract_id}/assign", {"contract_id": contract_id}, assigned, OPS, "assign")
    return contract_id


def reading(shop: Shop, contract_id: str) -> Case:
    """One GetItem and the key's status: the first request of the cold start."""
    path = {"contract_id": contract_id}
    return shop.kept(
        "contract", lambda _: gateway_event("GET", "/v1/contracts/{contract_id}", path, claims=KIM)
    )


def redemption(shop: Shop, contract_id: str) -> Case:
    from chalicelib import wiring
    from chalicelib.coupons import service

    service.CACHE_AGE = timedelta(days=1)
    campaign = {"name": "bench", "kind": "fixed", "value": 5000, "budget": 3_000_000, "per_user_limit": 9}
    campaign_id = shop.post("/v1/ops/campaigns", {}, campaign, OPS, "campaign")["campaign_id"]
    asked = {"batch_id": "b1", "count": 2}
    path = {"campaign_id": campaign_id}
    shop.post("/v1/ops/campaigns/{campaign_id}/codes", path, asked, OPS, "codes")
    codes = wiring.coupons().codes(wiring.coupons().issue(campaign_id, "b1"), 0, 2)
    coupons = [shop.post("/v1/me/coupons", {}, {"code": code}, KIM, code)["coupon_id"] for code in codes]

    def order(number: int) -> Event:
        body = {
            "order_id": f"order-{number}",
            "items": [{"kind": "contract_fee", "ref": contract_id}],
            "coupon_id": coupons[number - 1],
            "points": 0,
        }
        return gateway_event("POST", "/v1/checkouts", {}, body, {"Idempotency-Key": f"order-{number}"}, KIM)

    return shop.kept("redemption", order)


def command(shop: Shop, contract_id: str) -> list[Case]:
    """A press within the life of the one before, which the car has answered, and its answer."""
    from chalicelib import wiring
    from chalicelib.handlers.doors import doors_ack, doors_presence

    path = {"contract_id": contract_id}
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    order = {"holder": "customer", "reason": "key lost", "not_after": until}
    grant = shop.post("/v1/ops/contracts/{contract_id}/smart-keys", path, order, OPS, "grant")
    code = wiring.smartkeys().link(grant["grant_id"], 1).code
    body = {"code": code, "proof": "900321"}
    answer = shop.ask(gateway_event("POST", "/v1/smart-key/exchange", {}, body))
    cookie = answer["headers"]["Set-Cookie"].split(";")[0]
    now = int(datetime.now(UTC).timestamp() * 1000)
    doors_presence({"client_id": CAR, "event": "connected", "version": 0, "at": now}, None)

    def press(number: int) -> Event:
        headers = {"Idempotency-Key": f"press-{number}", "Cookie": cookie, "User-Agent": PHONE}
        if number == 2:
            doors_ack(_answer(), None)
        return gateway_event("POST", "/v1/smart-key/commands", {}, {"action": "unlock"}, headers)

    pressed = shop.kept("command", press)
    return [pressed, shop.once("ack", _answer(), lambda event: doors_ack(event, None))]


def _answer() -> Event:
    """What the topic rule hands over when the car has done the last command."""
    from moto.iotdata.models import iotdata_backends

    sent = iotdata_backends["123456789012"]["ap-northeast-2"].published_payloads
    envelope = json.loads(sent[-1][1])
    return {
        "v": 1,
        "command_id": envelope["command_id"],
        "nonce": envelope["nonce"],
        "status": "succeeded",
        "reason": None,
        "state": None,
        "at": envelope["issued_at"] + 1,
        "topic": f"cars/{CAR}/acks",
        "client_id": CAR,
        "received_at": envelope["issued_at"] + 2,
    }


def record(folder: Path) -> list[Case]:
    """Every case, also written to `<folder>/<name>.json`."""
    from moto import mock_aws

    from tests.strict import strict

    folder.mkdir(parents=True, exist_ok=True)
    with mock_aws(), strict(), recorded() as every:
        shop = Shop(every)
        driven, unpaid = _with_a_car(shop), _signed(shop, "sign another")
        cases = [reading(shop, driven), redemption(shop, unpaid), *command(shop, driven)]
    for case in cases:
        (folder / f"{case.name}.json").write_text(json.dumps(asdict(case)))
    return cases


def load(folder: Path, name: str) -> Case:
    kept = json.loads((folder / f"{name}.json").read_text())
    calls, before = ([Call(**call) for call in kept[part]] for part in ("calls", "before"))
    return Case(kept["name"], kept["event"], calls, before, kept["rows"])
