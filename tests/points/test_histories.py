"""Any history of a wallet: nothing is ever below nothing, and no point comes from nowhere or gets lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.kernel.calendar import months_after
from chalicelib.kernel.errors import Busy
from chalicelib.points.model import Draw, EntriesMissing, Kind, What, expiry, together, total
from tests.conftest import Hands
from tests.points.conftest import KIM, World, memory_world, stored_world

STEPS = ("give", "earn", "hold", "capture", "release", "refund", "claw_back", "convert", "wait", "sweep")
WEIGHTS = (3, 3, 6, 3, 2, 2, 3, 1, 3, 3)
LENGTH = 40
SEEDS = st.integers(0, 2**32 - 1)


@dataclass
class Life:
    """Plays a history. `part`: of what is there, which one; numbers beyond it do nothing."""

    world: World
    numbers: Any = field(default_factory=count)
    held: dict[str, Draw] = field(default_factory=dict)
    spent: dict[str, Draw] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)

    def play(self, seed: int) -> None:
        chance = Random(seed)
        self.world.drove(KIM)
        for step in chance.choices(STEPS, WEIGHTS, k=LENGTH):
            getattr(self, step)(chance.randint(1, 3_000), chance.choice((0, 0, 0, 1, 2, 3)))
            self.check()

    def give(self, points: int, part: int) -> None:
        until = months_after(self.world.clock(), 1 + part)
        self.world.give(points, until, (Kind.GIVEN, Kind.EARNED)[part % 2])

    def earn(self, points: int, part: int) -> None:
        name = f"chk_{next(self.numbers)}"
        self.earned[name] = points * 100
        self.world.awards.captured(name, KIM, points * 100)

    def claw_back(self, points: int, part: int) -> None:
        for name in list(self.earned)[part : part + 1]:
            card = min(points * 60, self.earned[name])
            self.earned[name] -= card
            self.world.awards.refunded(name, KIM, f"ref_{next(self.numbers)}", card)

    def hold(self, points: int, part: int) -> None:
        if points <= self.world.balance() and len(self.held) < 10:
            name = f"chk_{next(self.numbers)}"
            self.held[name] = self.world.hold(name, points)

    def capture(self, points: int, part: int) -> None:
        for name in list(self.held)[part : part + 1]:
            self.spent[name] = self.held.pop(name)
            self.world.step("capture", self.spent[name], name)

    def release(self, points: int, part: int) -> None:
        for name in list(self.held)[part : part + 1]:
            self.world.step("release", self.held.pop(name), name)

    def refund(self, points: int, part: int) -> None:
        """Some of what was spent; from its last lots, as the checkout does."""
        for name in list(self.spent)[part : part + 1]:
            spent = self.spent.pop(name)
            kept = self._first(spent.lots, spent.points - min(points, spent.points))
            back = together(spent.lots, tuple((lot, -some) for lot, some in kept))
            self.world.step("refund", Draw(total(back), back), name, f"ref_{next(self.numbers)}")
            if kept:
                self.spent[name] = Draw(total(kept), kept)

    def convert(self, points: int, part: int) -> None:
        self.world.office.mood = ("accepts", "refuses", "mute", "deaf")[part % 4]
        if self.world.balance() >= 1_000:
            self.world.convert(1_000, key=f"k{next(self.numbers)}")
        self.world.office.mood = "accepts"

    def wait(self, points: int, part: int) -> None:
        self.world.clock.move(days=points % 45 + 1)

    def sweep(self, points: int, part: int) -> None:
        """An expiry takes what is unspent of its lot, and nothing else."""
        at, before = self.world.clock(), self.world.points.wallet(KIM)
        self.world.timers.sweep()
        after = self.world.points.wallet(KIM)
        gone = {lot for lot, _ in before.lots if expiry(lot) <= at}
        assert not gone & {lot for lot, _ in after.lots}
        assert after.balance(at) >= before.balance(at)

    def check(self) -> None:
        """Entries and wallet agree (`pots` proves it), and every sum is what it must be."""
        pots, wallet = self.world.pots(), self.world.points.wallet(KIM)
        assert sum(pots.values()) == 0
        assert pots["balance"] == wallet.owned
        assert wallet.debt == -pots["debt"] >= 0
        assert pots["spent"] == sum(draw.points for draw in self.spent.values())
        assert min(pots["expired"], pots["converted"], pots["spent"], -pots["granted"]) >= 0
        assert all(points > 0 for _, points in wallet.lots)
        assert wallet.held == {name: draw.lots for name, draw in self.held.items()}
        if wallet.debt:
            assert wallet.balance(self.world.clock()) == 0

    def _first(self, lots: Any, points: int) -> Any:
        found = []
        for lot, there in lots:
            if points > 0:
                found.append((lot, min(there, points)))
                points -= there
        return tuple(found)


def ids() -> Callable[[str], str]:
    numbers = count()
    return lambda prefix: f"{prefix}_{next(numbers)}"


@settings(max_examples=50, derandomize=True)
@given(SEEDS)
def test_c08_no_history_makes_or_loses_a_point(seed: int) -> None:
    Life(memory_world(Hands(), ids())).play(seed)


def test_the_histories_meet_everything_they_are_made_for() -> None:
    met: set[str] = set()
    for seed in range(30):
        life = Life(memory_world(Hands(), ids()))
        life.play(seed)
        met |= {movement.entry.what for movement in life.world.entries()}
    assert met >= {*What} - {What.SIGNED_UP, What.BIRTHDAY, What.RETURNED_IN_TIME}


@settings(max_examples=4, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEEDS)
def test_c08_nor_on_dynamodb(dynamodb: Any, seed: int) -> None:
    rows = [
        {key: row[key] for key in ("pk", "sk")} for row in dynamodb.scan(TableName="test-points")["Items"]
    ]
    for key in rows:
        dynamodb.delete_item(TableName="test-points", Key=key)
    Life(stored_world(dynamodb, Hands(), ids())).play(seed)


# --- the proof finds what is wrong -------------------------------------------------------------------------


def damaged(row: dict[str, Any], **text: str) -> dict[str, Any]:
    return {**row, **{name: {"S": said} for name, said in text.items()}}


@pytest.mark.parametrize(
    ("sk", "damage", "item", "account", "amounts"),
    [
        ("WALLET", {"lots": '[["2605g",901]]'}, "WALLET", "lots/2605g", (900, 901)),
        ("WALLET", {"lots": "[]"}, "WALLET", "lots/2605g", (900, 0)),
        ("WALLET", None, "WALLET", "lots/2605g", (1_000, 0)),
        ("WALLET", {"held": "{}"}, "WALLET", "lots/2605g", (1_000, 900)),
        ("ENTRY#0000000001", None, "ENTRY#0000000001", "entries", (1, 0)),
        ("ENTRY#0000000002", ("500", "501"), "ENTRY#0000000002", "entries", (1, 0)),
        ("ENTRY#0000000002", ('"owned":1000', '"owned":999'), "ENTRY#0000000002", "owned", (1_000, 999)),
        ("ENTRY#0000000002", ('"2605g",500', '"2605g",499'), "ENTRY#0000000002", "lots", (500, 499)),
    ],
)
def test_a_damaged_row_is_named_with_the_amount(
    dynamodb: Any, sk: str, damage: Any, item: str, account: str, amounts: tuple[int, int]
) -> None:
    world = stored_world(dynamodb, Hands(), ids())
    for _ in range(2):
        world.give(500, world.clock() + timedelta(days=80))
    world.hold("chk_1", 100)
    assert world.points.witness(KIM).differences == ()
    key = {"pk": {"S": f"WALLET#{KIM}"}, "sk": {"S": sk}}
    row = dynamodb.get_item(TableName="test-points", Key=key)["Item"]
    dynamodb.delete_item(TableName="test-points", Key=key)
    if isinstance(damage, tuple):
        said = row["movement"]["S"]
        assert damage[0] in said
        damage = {"movement": said.replace(*damage, 1)}
    if damage is not None:
        dynamodb.put_item(TableName="test-points", Item=damaged(row, **damage))
    first = world.points.witness(KIM).differences[0]
    assert (first.item, first.account, first.expected, first.found) == (item, account, *amounts)


def test_a_damaged_wallet_is_put_right_by_its_entries(dynamodb: Any) -> None:
    world = stored_world(dynamodb, Hands(), ids())
    lot = world.give(500, world.clock() + timedelta(days=80))
    key = {"pk": {"S": f"WALLET#{KIM}"}, "sk": {"S": "WALLET"}}
    row = dynamodb.get_item(TableName="test-points", Key=key)["Item"]
    dynamodb.put_item(TableName="test-points", Item=damaged(row, lots='[["2605g",7]]'))
    put_right(world, "lots/2605g")
    assert world.lots() == {lot: 500}
    assert world.points.witness(KIM).differences == ()


def put_right(world: World, account: str) -> None:
    write = world.points.begin()
    world.points.repair(write, world.points.witness(KIM), account)
    write.commit()


def test_each_difference_of_a_wallet_is_put_right_by_itself(dynamodb: Any) -> None:
    """Each is booked by itself: one that came along with another would be in no book."""
    world = stored_world(dynamodb, Hands(), ids())
    first = world.give(500, world.clock() + timedelta(days=50))
    second = world.give(300, world.clock() + timedelta(days=80))
    key = {"pk": {"S": f"WALLET#{KIM}"}, "sk": {"S": "WALLET"}}
    row = dynamodb.get_item(TableName="test-points", Key=key)["Item"]
    wrong = damaged(row, lots=f'[["{second}",301]]') | {"debt": {"N": "40"}}
    dynamodb.put_item(TableName="test-points", Item=wrong)
    assert len(world.points.witness(KIM).differences) == 3
    put_right(world, f"lots/{first}")
    assert world.lots() == {first: 500, second: 301}
    put_right(world, "debt")
    assert world.points.wallet(KIM).debt == 0
    put_right(world, f"lots/{second}")
    assert world.lots() == {first: 500, second: 300}
    assert world.points.witness(KIM).differences == ()


def test_a_wallet_that_is_lost_writes_over_none_of_its_entries_and_comes_back_by_them(dynamodb: Any) -> None:
    world = stored_world(dynamodb, Hands(), ids())
    lot = world.give(500, world.clock() + timedelta(days=80))
    key = {"pk": {"S": f"WALLET#{KIM}"}, "sk": {"S": "WALLET"}}
    dynamodb.delete_item(TableName="test-points", Key=key)
    with pytest.raises(Busy):
        world.give(7, world.clock() + timedelta(days=80))
    assert [movement.points for movement in world.entries()] == [500]
    for difference in world.points.witness(KIM).differences:
        put_right(world, difference.account)
    assert world.lots() == {lot: 500}
    world.give(7, world.clock() + timedelta(days=80))
    assert world.points.witness(KIM).differences == ()


def test_what_comes_while_a_wallet_is_proven_is_no_difference(world: World) -> None:
    world.give(500, world.clock() + timedelta(days=80))
    store, read = world.store, list[str]()

    class Slow:
        """Somebody is given points between the look at the wallet and the look at its entries."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def movements(self, *asked: Any) -> Any:
            if not read:
                read.append(world.give(7, world.clock() + timedelta(days=80)))
            return store.movements(*asked)

    assert replace(world.points, store=Slow()).witness(KIM).differences == ()


def test_a_wallet_is_not_put_right_by_what_is_left_of_its_entries(dynamodb: Any) -> None:
    world = stored_world(dynamodb, Hands(), ids())
    for _ in range(2):
        world.give(500, world.clock() + timedelta(days=80))
    key = {"pk": {"S": f"WALLET#{KIM}"}, "sk": {"S": "ENTRY#0000000001"}}
    dynamodb.delete_item(TableName="test-points", Key=key)
    with pytest.raises(EntriesMissing):
        world.points.repair(world.points.begin(), world.points.witness(KIM), "lots/2605g")
    assert world.balance() == 1_000
