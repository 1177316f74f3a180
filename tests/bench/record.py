"""Plays each measured case once on the strict DynamoDB and keeps what crossed the border to AWS.

Each case is played twice and the second time is kept, when caches are warm: the gateway event, each call
with its arguments, and what AWS answered.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from tests.bench.wire import gateway_event

Event = dict[str, Any]
OPS = {"sub": "olga", "cognito:groups": "[ops]"}
KIM = {"sub": "kim"}
SECRETS = ("command-key", "link-key", "code-key", "payments-key")
CAR = "car-0001"
CARD, FEE = "tok_1", 370_000
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
READS = ("GetItem", "Query", "GetSecretValue")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
Row = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """One AWS call. Bytes in the arguments are {"base64": text}. `images`: the rows it wrote, each with its
    table, before and after."""

    service: str
    operation: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    images: list[tuple[str, Row | None, Row | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """`calls`: of the second play. `before`: every read so far, also of what is remembered.
    `rows`: by key in JSON, what was written, as it stood afterwards."""

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
        if _looking:
            return real(self, operation, arguments)
        before = _written(operation, arguments)
        answer = real(self, operation, arguments)
        after = _written(operation, arguments)
        body = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        kept = {name: value for name, value in arguments.items() if name != "ClientRequestToken"}
        service = self.meta.service_model.service_name
        images = [(table, old, new) for (table, old), (_, new) in zip(before, after, strict=True)]
        plain = json.loads(json.dumps(body, default=str))
        calls.append(Call(service, operation, _plain(kept), plain, _plain(images)))
        return answer

    clients._make_api_call = spy
    try:
        yield calls
    finally:
        clients._make_api_call = real


_looking: list[bool] = []
"""Not empty while what is called is the bench's own business."""


def _written(operation: str, arguments: dict[str, Any]) -> list[tuple[str, Row | None]]:
    """The rows such a call writes, as they are now."""
    from chalicelib.kernel import aws

    if operation not in WRITES:
        return []
    requests = [next(iter(item.values())) for item in arguments.get("TransactItems", [])] or [arguments]
    with unseen():
        return [
            (each["TableName"], aws.client("dynamodb").get_item(**_key(each)).get("Item"))
            for each in requests
        ]


@contextmanager
def unseen() -> Iterator[None]:
    """No recorder hears of the calls made meanwhile."""
    _looking.append(True)
    try:
        yield
    finally:
        _looking.pop()


def _key(request: dict[str, Any]) -> dict[str, Any]:
    row = request.get("Key") or request["Item"]
    return {
        "TableName": request["TableName"],
        "Key": {name: row[name] for name in ("pk", "sk")},
        "ConsistentRead": True,
    }


class Shop:
    """The whole application on the strict DynamoDB, driven by gateway events."""

    def __init__(self, every: list[Call]) -> None:
        from app import app
        from chalicelib.kernel import aws
        from tests.conftest import table_definitions

        self.app, self._every = app, every
        for table in table_definitions():
            aws.client("dynamodb").create_table(**table)
        for name in SECRETS:
            aws.client("secretsmanager").create_secret(Name=f"test/handover/{name}", SecretString="m" * 40)

    def ask(self, event: Event) -> Any:
        answer = self.app(event, None)
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
        rows = {
            json.dumps({name: row[name] for name in ("pk", "sk")}, sort_keys=True): row
            for call in calls
            for _, _, row in call.images
            if row
        }
        return Case(name, event, calls, before, rows)


def signed(shop: Shop, key: str) -> str:
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
        "card_token": CARD,
        "drivers": [driver],
    }
    return str(shop.post("/v1/contracts", {}, order, KIM, key)["contract_id"])


def _with_a_car(shop: Shop) -> str:
    from tests.contracts.examples import confirmed

    contract_id = signed(shop, "sign")
    confirmed(contract_id, amount=FEE)
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


class Counter:
    """Where Kim has coupons, points and contracts that wait to be paid, as many as are wanted."""

    def __init__(self, shop: Shop, codes: int = 30) -> None:
        from chalicelib.coupons.service import budgets

        budgets.CACHE_AGE = timedelta(days=1)
        self.shop = shop
        self.codes = self.coded("bench", codes, budget=3_000_000, per_user_limit=99)
        self.grant(50_000, "points")

    def grant(self, points: int, key: str) -> None:
        granted = {"customer_id": KIM["sub"], "points": points, "reason": "bench"}
        self.shop.post("/v1/ops/points/grants", {}, granted, OPS, key)

    def coded(self, name: str, count: int, **terms: Any) -> list[str]:
        """The codes of a campaign of its own."""
        from chalicelib import wiring

        campaign = {"name": name, "kind": "fixed", "value": 5000, **terms}
        campaign_id = self.shop.post("/v1/ops/campaigns", {}, campaign, OPS, name)["campaign_id"]
        path, asked = {"campaign_id": campaign_id}, {"batch_id": "b1", "count": count}
        self.shop.post("/v1/ops/campaigns/{campaign_id}/codes", path, asked, OPS, f"{name} codes")
        return list(wiring.coupons().codes(wiring.coupons().issue(campaign_id, "b1"), 0, count))

    def coupon(self, code: str | None = None) -> str:
        code = code or self.codes.pop()
        return str(self.shop.post("/v1/me/coupons", {}, {"code": code}, KIM, code)["coupon_id"])

    def contract(self, name: str) -> str:
        """Its licences are good: it waits for its first month's fee."""
        from chalicelib import wiring

        contract_id = signed(self.shop, name)
        wiring.contracts().verify(contract_id)
        return contract_id

    def order(self, contract_id: str, key: str, points: int = 0, coupon: str | None = None) -> Event:
        body = {
            "order_id": key,
            "items": [{"kind": "contract_fee", "ref": contract_id}],
            "coupon_id": coupon or self.coupon(),
            "points": points,
        }
        return gateway_event("POST", "/v1/checkouts", {}, body, {"Idempotency-Key": key}, KIM)

    def reserved(self, key: str, points: int = 0) -> str:
        answer = self.shop.ask(self.order(self.contract(key), key, points))
        return str(json.loads(answer["body"])["checkout_id"])

    def captured(self, key: str, points: int = 0) -> str:
        checkout_id = self.reserved(key, points)
        self.shop.ask(self.about(checkout_id, "capture", {"card_token": CARD}))
        return checkout_id

    def about(self, checkout_id: str, what: str, body: Any, who: dict[str, str] = KIM) -> Event:
        path, key = {"checkout_id": checkout_id}, {"Idempotency-Key": f"{what} {checkout_id}"}
        return gateway_event("POST", f"/v1/checkouts/{{checkout_id}}/{what}", path, body, key, who)


def money(shop: Shop, contract_id: str) -> list[Case]:
    """What happens to a coupon, to points, and to the checkout that holds them."""
    counter = Counter(shop)

    def refund(checkout_id: str, amount: int) -> Event:
        part = {"refund_id": "r1", "amount": amount}
        return counter.about(checkout_id, "refunds", part, OPS)

    def both(number: int) -> Event:
        return counter.order(contract_id, f"both-{number}", points=1_000)

    def register(_: int) -> Event:
        body, key = {"code": counter.codes.pop()}, {"Idempotency-Key": f"register {len(counter.codes)}"}
        return gateway_event("POST", "/v1/me/coupons", {}, body, key, KIM)

    kept = shop.kept
    return [
        kept("redemption", lambda number: counter.order(contract_id, f"order-{number}")),
        kept("redemption with points", both),
        refusal(shop, counter, contract_id),
        kept(
            "capture", lambda n: counter.about(counter.reserved(f"take-{n}"), "capture", {"card_token": CARD})
        ),
        kept("cancel", lambda n: counter.about(counter.reserved(f"leave-{n}"), "cancel", {})),
        kept("cancel with points", lambda n: counter.about(counter.reserved(f"drop-{n}", 900), "cancel", {})),
        kept("refund of a part", lambda n: refund(counter.captured(f"part-{n}"), 100_000)),
        kept("refund of all", lambda n: refund(counter.captured(f"all-{n}", 1_000), FEE)),
        kept("register", register),
        download(shop),
    ]


def refusal(shop: Shop, counter: Counter, contract_id: str) -> Case:
    """The second within a second, when the budget is gone."""
    coupons = [counter.coupon(code) for code in counter.coded("spent", 3, budget=5_000)]
    shop.ask(counter.order(contract_id, "last", coupon=coupons.pop()))

    def too_late(event: Event) -> None:
        answer = shop.app(event, None)
        assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (422, "BUDGET_EXHAUSTED")

    too_late(counter.order(contract_id, "late", coupon=coupons[0]))
    return shop.once("refusal", counter.order(contract_id, "later", coupon=coupons[1]), too_late)


def download(shop: Shop) -> Case:
    paths = []
    for number in (1, 2):
        campaign = {
            "name": f"free {number}",
            "kind": "fixed",
            "value": 5000,
            "budget": 10**6,
            "download": True,
        }
        made = shop.post("/v1/ops/campaigns", {}, campaign, OPS, f"free {number}")
        paths.append({"campaign_id": made["campaign_id"]})

    def take(number: int) -> Event:
        path, key = paths[number - 1], {"Idempotency-Key": f"take {number}"}
        return gateway_event("POST", "/v1/me/campaigns/{campaign_id}/coupon", path, {}, key, KIM)

    return shop.kept("download", take)


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
        driven, unpaid = _with_a_car(shop), signed(shop, "sign another")
        cases = [reading(shop, driven), *money(shop, unpaid), *command(shop, driven)]
    for case in cases:
        (folder / f"{case.name}.json").write_text(json.dumps(asdict(case)))
    return cases


def load(folder: Path, name: str) -> Case:
    kept = json.loads((folder / f"{name}.json").read_text())
    calls, before = ([Call(**call) for call in kept[part]] for part in ("calls", "before"))
    return Case(kept["name"], kept["event"], calls, before, kept["rows"])
