from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from chalicelib.kernel.deadlines import SHARDS, shards_of, sweep
from tests.conftest import NOON


class Parcel(Struct, frozen=True):
    due_at: datetime


class Depot:
    """Parcels by shard, in pages of two; what was rung is due no more."""

    def __init__(self, *counts: int) -> None:
        self.rung: list[Parcel] = []
        minutes = iter(range(1, 1000))
        self.due = [
            [Parcel(NOON - timedelta(minutes=next(minutes))) for _ in range(count)] for count in counts
        ]

    def pages(self, shard: int) -> Iterator[Sequence[Parcel]]:
        waiting = [parcel for parcel in self.due[shard] if parcel not in self.rung]
        for start in range(0, max(1, len(waiting)), 2):
            yield waiting[start : start + 2]

    def ring(self, parcel: Parcel) -> bool:
        self.rung.append(parcel)
        return True


def test_everything_due_is_rung_and_the_oldest_is_known() -> None:
    depot = Depot(3, 0, 1)
    report = sweep(depot.pages, depot.ring, shards=range(3))
    assert (report.found, report.claimed, report.queries, report.handed_on) == (4, 4, 4, 0)
    assert report.oldest == NOON - timedelta(minutes=4)
    assert report.age(NOON) == 240


def test_what_somebody_else_took_is_found_but_not_claimed() -> None:
    depot = Depot(2)
    report = sweep(depot.pages, lambda parcel: False, shards=[0])
    assert (report.found, report.claimed) == (2, 0)


def test_too_much_for_one_run_is_handed_on_and_nothing_is_lost() -> None:
    depot, handed = Depot(2, 5, 3), list[int]()
    report = sweep(depot.pages, depot.ring, shards=range(3), most=4, hand_on=handed.append)
    assert report.found == 4
    assert handed == [1, 2]
    assert report.handed_on == 2
    rest = sweep(depot.pages, depot.ring, shards=handed)
    assert report.found + rest.found == 10


def test_an_idle_sweep_asks_every_shard_once() -> None:
    depot = Depot(*[0] * SHARDS)
    report = sweep(depot.pages, depot.ring)
    assert (report.found, report.queries, report.age(NOON)) == (0, 16, 0)


def test_a_schedule_means_every_shard_and_a_message_the_one_it_names() -> None:
    assert list(shards_of({"source": "aws.events"})) == list(range(16))
    assert list(shards_of({"Records": [{"body": '{"shard": 7}'}]})) == [7]
