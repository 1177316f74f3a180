"""The table `<stage>-contracts`.

| pk                     | sk                 | row                                                         |
|------------------------|--------------------|-------------------------------------------------------------|
| CONTRACT#<contract_id> | CONTRACT           | a contract                                                  |
| CONTRACT#<contract_id> | ASKED#<record_id>  | a request that was granted, and what it was answered        |
| CONTRACT#<contract_id> | REFUSED#<checkout> | a payment that came too late; `fact` says that it goes back |
| CAR#<car_id>           | CAR                | a car; `contract_id` is absent while it is free, `blocked`  |
|                        |                    | while every lost key is useless                             |
| TAG#<key_tag>          | TAG                | on which car this tag hangs: one tag, one car               |
| FACT#<contract_id>     | <time>#<id>        | a published fact                                            |

Index `due` (due_shard, due_at) holds a contract only while a timer runs, and only its keys; index `customer`
(customer_id, position) lists a customer's contracts by the moment they were signed.

Everything personal in a contract (drivers, addresses, card token) is in its one attribute `personal`, which
no condition, index or fact ever reads: erasing a person is one update that removes it. The table is encrypted
at rest.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection

from chalicelib.contracts.model import (
    AlreadyAsked,
    AlreadyRefused,
    AlreadySigned,
    Answered,
    Assignment,
    Car,
    CarBlocked,
    CarDiffers,
    CarName,
    CarTaken,
    Contract,
    Due,
    Event,
    Handover,
    KeyNews,
    KeyTagTaken,
    Listed,
    MovedOn,
    Named,
    NotTheCarsKey,
    Outcome,
    Payment,
    State,
    Step,
    Term,
    UnknownCar,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.deadlines import due_pages, shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.settings import SETTINGS
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, Rows, Write, table_name

LISTED = ("contract_id", "state", "plan_id", "terms", "handover_at", "plate", "model")
TIMES = (
    "handed_over_at",
    "access_proven_at",
    "access_lost_at",
    "starts_at",
    "ends_at",
    "cancel_at",
    "settled_at",
)


class ContractsItem(Item):
    class Meta:
        table_name = table_name("contracts")
        region = SETTINGS.region


class DueIndex(GlobalSecondaryIndex["ContractItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class CustomerIndex(GlobalSecondaryIndex["ContractItem"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "customer"
        projection = IncludeProjection(list(LISTED))

    customer_id = UnicodeAttribute(hash_key=True)
    position = UnicodeAttribute(range_key=True)


class ContractItem(ContractsItem):
    """`terms`: [months, fee] each. `position`: in its customer's list."""

    by_due = DueIndex()
    by_customer = CustomerIndex()
    contract_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    position = UnicodeAttribute()
    plan_id = UnicodeAttribute()
    terms = ListAttribute[Any]()
    handover_at = UnicodeAttribute()
    signed_at = UnicodeAttribute()
    fingerprint = UnicodeAttribute()
    last_number = NumberAttribute()
    state = UnicodeAttribute()
    since = UnicodeAttribute()
    why = UnicodeAttribute(null=True)
    checkout_id = UnicodeAttribute(null=True)
    payment_id = UnicodeAttribute(null=True)
    paid = NumberAttribute(null=True)
    car_id = UnicodeAttribute(null=True)
    key_tag = UnicodeAttribute(null=True)
    plate = UnicodeAttribute(null=True)
    model = UnicodeAttribute(null=True)
    swap_car_id = UnicodeAttribute(null=True)
    swap_key_tag = UnicodeAttribute(null=True)
    handed_over_at = UnicodeAttribute(null=True)
    access_proven_at = UnicodeAttribute(null=True)
    access_lost_at = UnicodeAttribute(null=True)
    locked_out = BooleanAttribute(null=True)
    starts_at = UnicodeAttribute(null=True)
    ends_at = UnicodeAttribute(null=True)
    cancel_at = UnicodeAttribute(null=True)
    return_at = UnicodeAttribute(null=True)
    settled_at = UnicodeAttribute(null=True)
    timer = UnicodeAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    rung = NumberAttribute()
    version = NumberAttribute()
    personal = MapAttribute[str, Any]()  # type: ignore[no-untyped-call]


class AskedItem(ContractsItem):
    words = UnicodeAttribute()
    outcome = UnicodeAttribute()


class RefusedItem(ContractsItem):
    fact = UnicodeAttribute()


class CarItem(ContractsItem):
    car_id = UnicodeAttribute()
    plate = UnicodeAttribute()
    model = UnicodeAttribute()
    key_tags = ListAttribute(of=UnicodeAttribute)
    contract_id = UnicodeAttribute(null=True)
    key_news = UnicodeAttribute(null=True)
    blocked = BooleanAttribute(null=True)


class TagItem(ContractsItem):
    car_id = UnicodeAttribute()


class ContractStore:
    def find(self, contract_id: str) -> Contract | None:
        item = ContractItem.load(_pk(contract_id), "CONTRACT")
        return _contract(item) if item else None

    def found(self, look: Rows, contract_id: str) -> Callable[[], Contract | None]:
        row = look.row(ContractItem, _pk(contract_id), "CONTRACT")
        return lambda: _contract(item) if (item := row()) else None

    def sign(self, contract: Contract, fact: Fact) -> None:
        write = AllOrNothing()
        write.put(_contract_item(contract), only_if=ContractItem.pk.does_not_exist(), otherwise=AlreadySigned)
        write.fact(ContractItem, fact)
        write.commit()

    def save(self, step: Step, facts: Sequence[Fact], answered: Answered | None = None) -> None:
        write = AllOrNothing()
        if answered is not None:
            write.put(
                _asked_item(step.after.contract_id, answered),
                only_if=AskedItem.pk.does_not_exist(),
                otherwise=AlreadyAsked,
            )
        self.add(write, step, facts)
        write.commit()

    def add(self, write: Write, step: Step, facts: Sequence[Fact]) -> None:
        before, after, take = step.before, step.after, step.takes
        write.put(
            _contract_item(after),
            only_if=(ContractItem.state == before.state) & (ContractItem.version == before.version),
            otherwise=MovedOn,
        )
        if take is not None:
            write.update(
                CarItem(f"CAR#{take.car_id}", "CAR"),
                CarItem.contract_id.set(after.contract_id),
                only_if=CarItem.key_tags.contains(take.key_tag)
                & CarItem.contract_id.does_not_exist()
                & CarItem.blocked.does_not_exist(),
                otherwise=lambda car: _why_not(car, take.key_tag),
            )
        if step.frees is not None:
            write.update(
                CarItem(f"CAR#{step.frees}", "CAR"),
                CarItem.contract_id.remove(),
                only_if=CarItem.contract_id == after.contract_id,
                otherwise=MovedOn,
            )
        for fact in facts:
            write.fact(ContractItem, fact)

    def answered(self, contract_id: str, record_id: str) -> Answered | None:
        item = AskedItem.load(_pk(contract_id), f"ASKED#{record_id}")
        if item is None:
            return None
        return Answered(record_id, item.words, msgspec.json.decode(item.outcome, type=Outcome))

    def refuse_payment(self, contract_id: str, checkout_id: str, fact: Fact) -> None:
        write = AllOrNothing()
        item = RefusedItem(_pk(contract_id), f"REFUSED#{checkout_id}", fact=fact.json())
        write.put(item, only_if=RefusedItem.pk.does_not_exist(), otherwise=AlreadyRefused)
        write.commit()

    def mine(self, customer_id: str, limit: int, after: str | None) -> list[Listed]:
        before = ContractItem.position < after if after else None
        found = ContractItem.by_customer.query(customer_id, before, scan_index_forward=False, limit=limit)
        return [_listed(item) for item in found]

    def due(self, shard: int, until: datetime) -> Iterator[list[Due]]:
        for page in due_pages(ContractItem, shard, until):
            yield [Due(raw["pk"]["S"].partition("#")[2], moment(raw["due_at"]["S"])) for raw in page]

    def find_car(self, car_id: str) -> Car | None:
        item = CarItem.load(f"CAR#{car_id}", "CAR")
        return _car(item) if item else None

    def register(self, car: Car) -> None:
        write = AllOrNothing()
        write.put(_car_item(car), only_if=CarItem.pk.does_not_exist(), otherwise=CarDiffers)
        for tag in car.key_tags:
            write.put(
                TagItem(f"TAG#{tag}", "TAG", car_id=car.car_id),
                only_if=TagItem.pk.does_not_exist(),
                otherwise=KeyTagTaken,
            )
        write.commit()

    def save_car(self, before: Car, after: Car) -> None:
        as_before = (
            CarItem.key_news == _news(before) if before.key_news else CarItem.key_news.does_not_exist()
        )
        write = AllOrNothing()
        write.update(
            CarItem(f"CAR#{after.car_id}", "CAR"),
            CarItem.key_news.set(_news(after)),
            CarItem.blocked.set(True) if after.blocked else CarItem.blocked.remove(),
            only_if=CarItem.pk.exists() & as_before,
            otherwise=MovedOn,
        )
        write.commit()


def _pk(contract_id: str) -> str:
    return f"CONTRACT#{contract_id}"


def _why_not(car: Raw | None, key_tag: str) -> Exception:
    """What is wrong with a car that could not be taken, from the row as it stood."""
    if car is None:
        return UnknownCar()
    if {"S": key_tag} not in car["key_tags"]["L"]:
        return NotTheCarsKey()
    return CarTaken() if "contract_id" in car else CarBlocked()


def _asked_item(contract_id: str, answered: Answered) -> AskedItem:
    outcome = msgspec.json.encode(answered.outcome).decode()
    return AskedItem(_pk(contract_id), f"ASKED#{answered.record_id}", words=answered.words, outcome=outcome)


def _contract_item(contract: Contract) -> ContractItem:
    payment, given, swap, back = contract.payment, contract.assignment, contract.swap_to, contract.giving_back
    times: dict[str, Any] = {name: stamp(at) for name in TIMES if (at := getattr(contract, name))}
    return ContractItem(
        _pk(contract.contract_id),
        "CONTRACT",
        contract_id=contract.contract_id,
        customer_id=contract.customer_id,
        position=f"{stamp(contract.signed_at)}#{contract.contract_id}",
        plan_id=contract.plan_id,
        terms=[[term.months, term.monthly_fee] for term in contract.terms],
        handover_at=stamp(contract.handover.at),
        signed_at=stamp(contract.signed_at),
        fingerprint=contract.fingerprint,
        last_number=contract.last_number,
        state=contract.state,
        since=stamp(contract.since),
        why=contract.why,
        checkout_id=payment and payment.checkout_id,
        payment_id=payment and payment.payment_id,
        paid=payment and payment.amount,
        car_id=given and given.car_id,
        key_tag=given and given.key_tag,
        plate=contract.car and contract.car.plate,
        model=contract.car and contract.car.model,
        swap_car_id=swap and swap.car_id,
        swap_key_tag=swap and swap.key_tag,
        locked_out=contract.locked_out or None,
        return_at=back and stamp(back.at),
        timer=contract.timer,
        due_shard=shard_of(contract.contract_id) if contract.due_at else None,
        due_at=contract.due_at and stamp(contract.due_at),
        rung=contract.rung,
        version=contract.version,
        personal={
            "drivers": msgspec.to_builtins(list(contract.drivers)),
            "address": contract.handover.address,
            "card_token": contract.card_token,
            **({"return_address": back.address} if back else {}),
        },
        **times,
    )


def _contract(item: ContractItem) -> Contract:
    personal = item.personal.attribute_values
    given, swap = (item.car_id, item.key_tag), (item.swap_car_id, item.swap_key_tag)
    times = {name: moment(at) for name in TIMES if (at := getattr(item, name))}
    return Contract(
        contract_id=item.contract_id,
        customer_id=item.customer_id,
        plan_id=item.plan_id,
        terms=_terms(item),
        handover=Handover(moment(item.handover_at), personal["address"]),
        card_token=personal["card_token"],
        drivers=msgspec.convert(personal["drivers"], tuple[Named, ...]),
        last_number=int(item.last_number),
        fingerprint=item.fingerprint,
        signed_at=moment(item.signed_at),
        since=moment(item.since),
        state=State(item.state),
        payment=_payment(item),
        assignment=Assignment(*given) if given[0] and given[1] else None,
        car=CarName(item.plate, item.model) if item.plate and item.model else None,
        swap_to=Assignment(*swap) if swap[0] and swap[1] else None,
        locked_out=bool(item.locked_out),
        giving_back=Handover(moment(item.return_at), personal["return_address"]) if item.return_at else None,
        why=item.why,
        timer=Event(item.timer) if item.timer else None,
        due_at=moment(item.due_at) if item.due_at else None,
        rung=int(item.rung),
        version=int(item.version),
        **times,
    )


def _terms(item: ContractItem) -> tuple[Term, ...]:
    return tuple(Term(int(months), int(fee)) for months, fee in item.terms)


def _payment(item: ContractItem) -> Payment | None:
    if item.checkout_id is None or item.paid is None:
        return None
    return Payment(item.checkout_id, item.payment_id, int(item.paid))


def _listed(item: ContractItem) -> Listed:
    return Listed(
        contract_id=item.contract_id,
        state=item.state,
        plan_id=item.plan_id,
        months=sum(term.months for term in _terms(item)),
        handover_at=moment(item.handover_at),
        car=CarName(item.plate, item.model) if item.plate and item.model else None,
        position=item.position,
    )


def _car_item(car: Car) -> CarItem:
    return CarItem(
        f"CAR#{car.car_id}",
        "CAR",
        car_id=car.car_id,
        plate=car.plate,
        model=car.model,
        key_tags=list(car.key_tags),
    )


def _news(car: Car) -> str:
    return msgspec.json.encode(car.key_news).decode()


def _car(item: CarItem) -> Car:
    news = msgspec.json.decode(item.key_news, type=tuple[KeyNews, ...]) if item.key_news else ()
    tags = tuple(map(str, item.key_tags))
    return Car(item.car_id, item.plate, item.model, tags, item.contract_id, news)
