"""Incidents, smart keys and notices together: each holder gets one live grant and one text."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.incidents.model import Happened, Key, State, Work
from chalicelib.incidents.schemas import HEARD
from chalicelib.incidents.service import IncidentService
from chalicelib.incidents.service import Order as IncidentOrder
from chalicelib.notices.model import Caps, SmsUnavailable
from chalicelib.notices.service import NoticeService
from chalicelib.smartkeys.model import Order
from chalicelib.smartkeys.service import SmartKeyService
from tests.conftest import Hands
from tests.incidents.examples import OLGA, OSCAR, Contracts, Crash, Queue, adds_up, contracts_named, opened
from tests.incidents.memory import MemoryIncidents
from tests.incidents.test_r15 import Unreliable
from tests.notices.memory import MemoryNotices
from tests.smartkeys.examples import Admission, Driver, service_on
from tests.smartkeys.memory import MemorySmartKeys

ROWS = 1000


@dataclass
class SmartKeys:
    """What wiring does between the two."""

    real: SmartKeyService

    def issue(self, order: IncidentOrder) -> Key:
        asked = Order(
            order_id=order.order_id,
            fingerprint=order.order_id,
            grant_id=order.grant_id,
            contract_id=order.contract_id,
            holder="customer",
            reason=order.reason,
            issuer=order.issuer,
            not_after=order.not_after,
            incident_id=order.incident_id,
        )
        grant = self.real.issue(asked).grant
        return Key(grant.grant_id, grant.grant_id != order.grant_id, grant.unlocked_at is not None)

    def revoke(self, contract_id: str, grant_id: str, by: str, reason: str) -> None:
        self.real.revoke(contract_id, grant_id, by, reason)


@dataclass
class Phones:
    """Every so often the provider turns a text away."""

    dice: random.Random
    texts: list[str] = field(default_factory=list)

    def send(self, phone: str, text: str) -> None:
        if self.dice.random() < 0.03:
            raise SmsUnavailable("Throttled")
        self.texts.append(phone)


@dataclass
class World:
    """The three contexts, and the bus between them: facts come at least once, and in no order."""

    incidents: IncidentService
    smartkeys: SmartKeyService
    notices: NoticeService
    dice: random.Random
    carried: set[str] = field(default_factory=set)

    def carry(self) -> None:
        while fresh := [fact for fact in self._facts() if fact.id not in self.carried]:
            self.carried |= {fact.id for fact in fresh}
            often = fresh + self.dice.sample(fresh, len(fresh) // 5)
            self.dice.shuffle(often)
            for fact in often:
                self._hear(fact.type, fact.data)

    def _facts(self) -> list[Any]:
        stores: list[Any] = [self.smartkeys.store, self.notices.store]
        return [fact for store in stores for fact in store.facts]

    def _hear(self, name: str, data: dict[str, Any]) -> None:
        if name == "SmartKeyLinkIssued":
            try:
                self.notices.send_link(data["grant_id"], data["send_no"])
            except SmsUnavailable:
                return  # the sweep takes it up
        elif name in HEARD and data["grant_id"]:
            self.incidents.heard(data["contract_id"], data["grant_id"], Happened(HEARD[name]))


def world(queue: Queue, clock: Hands, new_id: Callable[[str], str]) -> World:
    dice = random.Random(4)
    smartkeys = service_on(MemorySmartKeys(), clock, new_id)
    named: Any = smartkeys.contracts
    for number, contract_id in enumerate(contracts_named(ROWS)):
        driver = Driver("1", "somebody", f"+8210{number:08d}")
        named.known[contract_id] = Admission(f"cus_{number}", f"car-{number:04d}", drivers=(driver,))
    key, caps = lambda: "not a real key", Caps(parts=2000, for_links=500)
    store, site = MemoryNotices(), "https://handover.kr"
    nobody: Any = None  # no advertising goes out here
    notices = NoticeService(
        store,
        smartkeys,
        named,
        gifts=nobody,
        points=nobody,
        customers=nobody,
        opt_outs=nobody,
        sms=Phones(dice),
        site_url=site,
        opt_out="",
        caps=caps,
        number_key=key,
        now=clock,
        new_id=new_id,
    )
    unreliable = Unreliable(SmartKeys(smartkeys), dice, 0.02)
    incidents = IncidentService(MemoryIncidents(), unreliable, Contracts(), queue, clock, new_id)
    return World(incidents, smartkeys, notices, dice)


def test_r15_a_thousand_customers_get_one_live_grant_and_one_text_each(
    queue: Queue, clock: Hands, new_id: Callable[[str], str]
) -> None:
    all_of = world(queue, clock, new_id)
    incidents, phones = all_of.incidents, all_of.notices.sms
    assert isinstance(phones, Phones)
    named = contracts_named(ROWS)
    rescued = named[:50]
    for number, contract_id in enumerate(rescued):
        all_of.smartkeys.rescue(contract_id, "KeyShipmentEscalated", f"evt_{number}")
    all_of.carry()
    clock.move(hours=1)
    all_of.notices.sweep()
    all_of.carry()
    before = Counter(phones.texts)
    assert set(before.values()) == {1}

    incident_id = opened(incidents, ROWS).incident_id
    incidents.give(incident_id, OLGA, None)
    incidents.approve(incident_id, OSCAR)
    for run in (1, 1):
        incidents.spread(incident_id, Work.ISSUE, run)
        all_of.dice.shuffle(queue.pieces)
        queue.run(incidents)
        all_of.carry()
    for _ in range(15):
        clock.move(minutes=1)
        all_of.notices.sweep()
        all_of.carry()

    assert {type(problem) for problem in queue.problems} >= {Crash}
    assert incidents.see(incident_id).incident.state == State.DONE
    assert incidents.see(incident_id).funnel.sent == ROWS
    assert adds_up(incidents, incident_id)
    assert set((Counter(phones.texts) - before).values()) == {1}
    assert len(Counter(phones.texts) - before) == ROWS
    live = [all_of.smartkeys.of_contract(contract_id) for contract_id in named]
    assert all(len([grant for grant in grants if grant.state == "LIVE"]) == 1 for grants in live)

    incidents.revoke(incident_id, OSCAR, "wrong list")
    incidents.spread(incident_id, Work.REVOKE, 2)
    queue.run(incidents)
    all_of.carry()
    funnel = incidents.see(incident_id).funnel
    assert (funnel.revoked, funnel.kept) == (ROWS - len(rescued), len(rescued))
    assert incidents.see(incident_id).incident.state == State.REVOKED
    assert adds_up(incidents, incident_id)
    assert len(phones.texts) == ROWS + len(rescued)
