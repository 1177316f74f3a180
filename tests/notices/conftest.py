"""Each behaviour is tested twice: on the memory store and on DynamoDB."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.notices.gateway import SignedCalls
from chalicelib.notices.model import Caps
from chalicelib.notices.service import NoticeService
from chalicelib.notices.store import NoticeStore
from tests.conftest import Hands
from tests.notices.memory import MemoryNotices

SITE = "https://handover.kr"
PHONE = "+821012345678"
OPERATORS_KEY = "the operator's key"


def texts_sent() -> list[tuple[str, str]]:
    """What moto's SNS was given: number and text."""
    messages = sns_backends[DEFAULT_ACCOUNT_ID]["ap-northeast-2"].sms_messages.values()
    return [(number, text) for number, text, *_ in messages]


class LinkOver(Conflict):
    """It is no longer the one to send."""


@dataclass(frozen=True)
class Link:
    contract_id: str
    holder: str
    code: str


@dataclass(frozen=True)
class Party:
    phone: str
    language: str


class Links:
    """One code for each grant and number, until it is over. Grants without a number for a name are Kim's."""

    def __init__(self) -> None:
        self.over = False

    def link(self, grant_id: str, send_no: int) -> Link:
        if self.over:
            raise LinkOver()
        name = grant_id.removeprefix("grt_")
        contract_id = f"con_{name}" if name.isdigit() else "con_kim"
        return Link(contract_id, "customer", f"{grant_id}-{send_no}".ljust(22, "c"))


class Parties:
    """Kim, and everybody with a number for a name, each with a phone of their own."""

    def __init__(self) -> None:
        self.language = "ko"

    def party(self, contract_id: str, holder: str) -> Party:
        name = contract_id.removeprefix("con_")
        if name != "kim" and not name.isdigit():
            raise NotFound()
        return Party(PHONE if name == "kim" else f"+8210{name:0>8}", self.language)


@dataclass
class Outbox:
    """`problem` is raised once, after the text went out when `lost`, else instead of it."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    problem: Exception | None = None
    lost: bool = False

    def send(self, phone: str, text: str) -> None:
        problem, self.problem = self.problem, None
        if problem is None or self.lost:
            self.texts.append((phone, text))
        if problem:
            raise problem


@pytest.fixture
def links() -> Links:
    return Links()


@pytest.fixture
def parties() -> Parties:
    return Parties()


@dataclass(frozen=True)
class Gift:
    customer_id: str
    code: str
    amount: int | None = 5_000
    percent: int | None = None
    until: datetime | None = None


class Gifts:
    """Every batch gave its coupon of number n to the customer of that number, until it is over."""

    def __init__(self) -> None:
        self.over: Exception | None = None
        self.until: datetime | None = None

    def gift(self, campaign_id: str, batch_id: str, number: int) -> Gift:
        if self.over:
            raise self.over
        return Gift(str(number), f"AAAAA-AAAAA-{number:05d}", until=self.until)


class Customers:
    """Everybody with a number for a name but 404, each with a phone of their own."""

    def customer(self, customer_id: str) -> Party:
        if customer_id == "404":
            raise NotFound()
        return Party(f"+8210{customer_id:0>8}", "ko")


class Points:
    """What everybody has that expires soon: earned, and given."""

    def __init__(self) -> None:
        self.earned, self.given = 700, 0

    def expiring(self, customer_id: str, end: datetime) -> tuple[int, int]:
        return self.earned, self.given


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def gifts() -> Gifts:
    return Gifts()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture(params=["memory", "dynamodb"])
def service(
    request: pytest.FixtureRequest,
    links: Links,
    parties: Parties,
    gifts: Gifts,
    points: Points,
    outbox: Outbox,
    clock: Hands,
    new_id: Callable[[str], str],
) -> NoticeService:
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
    store = NoticeStore() if request.param == "dynamodb" else MemoryNotices()
    caps = Caps(parts=10, for_links=4)
    return NoticeService(
        store,
        links,
        parties,
        gifts,
        points,
        Customers(),
        SignedCalls(lambda: OPERATORS_KEY),
        outbox,
        SITE,
        "080-000-0000",
        caps,
        lambda: "not a real key",
        clock,
        new_id,
    )


def stored_facts(client: Any) -> list[Fact]:
    rows = client.scan(TableName="test-notices")["Items"]
    facts = [fact_of({"detail": msgspec.json.decode(row["fact"]["S"])}) for row in rows if "fact" in row]
    return sorted(facts, key=lambda fact: fact.id)


@pytest.fixture
def facts(service: NoticeService, request: pytest.FixtureRequest) -> Callable[[], list[Fact]]:
    if isinstance(service.store, MemoryNotices):
        return functools.partial(list, service.store.facts)
    return functools.partial(stored_facts, request.getfixturevalue("dynamodb"))
