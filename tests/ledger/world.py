"""A campaign's whole story in all its witnesses, which agree until a test spoils one of them."""

from collections import Counter
from datetime import timedelta

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.money import Entry, Leg, balances
from chalicelib.ledger.model import Booked, booked
from chalicelib.ledger.model.witnesses import (
    Counted,
    Difference,
    Held,
    Record,
    Tally,
    wrong_holdings,
)
from tests.conftest import NOON

CAMPAIGN = "cmp_1"
LIMIT = 1_000_000
SHARDS = 3


class Told(Struct, frozen=True):
    """A checkout's row as a test spoils it: what its entries are made of."""

    checkout_id: str
    customer_id: str
    coupon_id: str
    shard: int
    discount: int
    card: int
    points: int
    state: str
    refunded: int
    minute: int

    def record(self) -> Record:
        about: dict[str, str | int | None] = {"customer_id": self.customer_id, "coupon_id": self.coupon_id}
        pots = f"campaign/{CAMPAIGN}/{self.shard}"
        points = f"points/{self.customer_id}"

        def entry(what: str, later: int, *legs: Leg) -> Entry:
            at = NOON + timedelta(minutes=self.minute, seconds=later)
            moved = tuple(leg for leg in legs if leg.amount)
            return Entry(f"{self.checkout_id}/{what}", what, CAMPAIGN, at, moved, about)

        def move(amount: int, source: str, target: str) -> tuple[Leg, Leg]:
            return Leg(source, -amount), Leg(target, amount)

        held, more = self.discount, self.points
        entries = [
            entry(
                "reserved",
                0,
                *move(held, f"{pots}/available", f"{pots}/reserved"),
                *move(more, f"{points}/balance", f"{points}/held"),
            )
        ]
        if self.state == "released":
            entries.append(
                entry(
                    "released",
                    20,
                    *move(held, f"{pots}/reserved", f"{pots}/available"),
                    *move(more, f"{points}/held", f"{points}/balance"),
                )
            )
        if self.state in ("captured", "refunded"):
            entries.append(
                entry(
                    "captured",
                    20,
                    *move(held, f"{pots}/reserved", f"{pots}/captured"),
                    *move(more, f"{points}/held", f"{points}/spent"),
                    *move(self.card, "sales", "card/taken"),
                )
            )
        if self.refunded or self.state == "refunded":
            back = held if self.state == "refunded" else self.refunded
            entries.append(entry("refunded", 40, *move(back, f"{pots}/captured", f"{pots}/available")))
        active = self.state in ("reserved", "captured")
        return Record(
            self.checkout_id,
            CAMPAIGN,
            self.customer_id,
            "order-1",
            self.coupon_id,
            self.state,
            active,
            entries[0].at,
            tuple(entries),
        )


class World(Struct):
    told: list[Told]
    rows: list[Booked]
    counters: list[Counted]
    held: dict[str, Held]
    uses: dict[str, int]

    def records(self) -> dict[str, Record]:
        return {each.checkout_id: each.record() for each in self.told}

    def differences(self) -> list[Difference]:
        tally, records = Tally(), self.records()
        tally.read(self.rows, records, NOON, NOON + timedelta(days=1))
        found = tally.against(self.counters)
        return [*found, *wrong_holdings(CAMPAIGN, records.values(), self.held, self.uses, found)]


def world_of(told: list[Told]) -> World:
    records = [each.record() for each in told]
    each, rest = divmod(LIMIT, SHARDS)
    parts = [each + (n < rest) for n in range(SHARDS)]
    pots = tuple(Leg(f"campaign/{CAMPAIGN}/{n}/available", part) for n, part in enumerate(parts))
    created = Entry(
        f"{CAMPAIGN}/created",
        "created",
        CAMPAIGN,
        NOON,
        (Leg(f"campaign/{CAMPAIGN}/budget", -LIMIT), *pots),
    )
    entries = [created, *(entry for record in records for entry in record.entries)]
    sums = balances(entries)
    counters = [Counted(f"campaign CAMPAIGN#{CAMPAIGN}", {f"campaign/{CAMPAIGN}/budget": -LIMIT})]
    for n in range(SHARDS):
        names = [f"campaign/{CAMPAIGN}/{n}/{pot}" for pot in ("available", "reserved", "captured")]
        counters.append(Counted(f"shard SHARD#{CAMPAIGN}#{n}", {name: sums[name] for name in names}))
    held = {
        record.coupon_id: Held(record.active, record.checkout_id if record.active else None)
        for record in records
        if record.coupon_id
    }
    uses = dict(Counter(record.customer_id for record in records if record.active))
    return World(told, [booked(entry) for entry in entries], counters, held, uses)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    told = []
    for n in range(draw(st.integers(1, 5))):
        discount = draw(st.integers(1, 9_000))
        state = draw(st.sampled_from(["reserved", "released", "captured", "refunded"]))
        told.append(
            Told(
                checkout_id=f"chk_{n}",
                customer_id=draw(st.sampled_from(["kim", "lee"])),
                coupon_id=f"{CAMPAIGN}.code{n}",
                shard=draw(st.integers(0, SHARDS - 1)),
                discount=discount,
                card=draw(st.integers(1, 500_000)),
                points=draw(st.integers(0, 3_000)),
                state=state,
                refunded=draw(st.integers(0, discount - 1)) if state == "captured" else 0,
                minute=n,
            )
        )
    return world_of(told)


class Spoilt(Struct):
    """What a test did to one item. `amount`: by how much, where that is a number."""

    item: str
    amount: int | None


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[World, Spoilt]:
    """A world of which exactly one row is wrong."""
    world = draw(worlds())
    by = draw(st.integers(1, 5_000)) * draw(st.sampled_from([1, -1]))
    how = draw(st.sampled_from([_counter, _leg, _mark, _row_gone, _told, _state, _coupon, _used_by, _uses]))
    return world, how(draw, world, by)


def _counter(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    place = draw(st.integers(0, len(world.counters) - 1))
    each = world.counters[place]
    account = draw(st.sampled_from(sorted(each.holds)))
    world.counters[place] = replace(each, holds=each.holds | {account: each.holds[account] + by})
    return Spoilt(each.item, by)


def _leg(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    place = draw(st.integers(0, len(world.rows) - 1))
    row = world.rows[place]
    account, amount = draw(st.sampled_from(sorted(row.holds.items())))
    text = row.text.replace(f'["{account}",{amount}]', f'["{account}",{amount + by}]')
    assert text != row.text
    world.rows[place] = replace(row, text=text)
    return Spoilt(f"ledger {row.name}", by)


def _mark(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    place = draw(st.integers(0, len(world.rows) - 1))
    row = world.rows[place]
    world.rows[place] = replace(row, mark="0" * 16)
    return Spoilt(f"ledger {row.name}", None)


def _row_gone(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    row = world.rows.pop(draw(st.integers(1, len(world.rows) - 1)))
    return Spoilt(f"ledger {row.name}", None)


def _told(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    place = draw(st.integers(0, len(world.told) - 1))
    each = world.told[place]
    fields = ["discount"]
    fields += ["card"] if each.state in ("captured", "refunded") else []
    name = draw(st.sampled_from(fields))
    world.told[place] = replace(each, **{name: getattr(each, name) + abs(by)})
    return Spoilt(f"checkout CHECKOUT#{each.checkout_id}", abs(by))


STATES = ["reserved", "released", "captured", "refunded"]


def _state(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    place = draw(st.integers(0, len(world.told) - 1))
    each = world.told[place]
    other = draw(st.sampled_from([state for state in STATES if state != each.state]))
    world.told[place] = replace(each, state=other)
    amount = each.discount - (each.refunded if other == "refunded" else 0)
    return Spoilt(f"checkout CHECKOUT#{each.checkout_id}", amount)


def _coupon(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    coupon_id = draw(st.sampled_from(sorted(world.held)))
    used = world.held[coupon_id].used
    world.held[coupon_id] = Held(not used, None if used else "chk_x")
    return Spoilt(f"coupon {coupon_id}", None)


def _used_by(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    coupon_id = draw(st.sampled_from(sorted(world.held)))
    world.held[coupon_id] = Held(True, "chk_x")
    return Spoilt(f"coupon {coupon_id}", None)


def _uses(draw: st.DrawFn, world: World, by: int) -> Spoilt:
    who = draw(st.sampled_from(["kim", "lee"]))
    world.uses[who] = world.uses.get(who, 0) + by
    return Spoilt(f"uses USES#{CAMPAIGN}#{who}", by)
