"""Exactly one holder has each key at every moment, and the ledger says how it came there."""

import random
from datetime import datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.keys.model import (
    BROUGHT_BY,
    AlreadyCorrected,
    Correction,
    Event,
    GoneOnAnotherWay,
    Held,
    Holder,
    NotCorrectable,
    Scan,
    State,
    Tracking,
    UnknownEvent,
    UnknownKey,
    Why,
    unaccounted,
)
from tests.conftest import NOON, Hands
from tests.keys.conftest import World, memory_world
from tests.keys.examples import COURIER, KIM, OPS, PACKER, label_of, pack
from tests.keys.test_history import DELIVERED, Telling

OF_LOSS = ("KeyLost", "KeyFound", "KeyRekeyed")


def held(world: World, name: str = "kim") -> Held:
    found = world.store.held(f"tag-{name}")
    assert found is not None
    return found


def holders(world: World, name: str = "kim") -> list[str]:
    """Who had the key, the first one first; each entry takes from whom the one before it gave to."""
    ledger = list(reversed(world.store.ledger(f"tag-{name}", 100)))
    assert [entry.seq for entry in ledger] == list(range(1, len(ledger) + 1))
    assert all(before.holder_kind is after.from_kind for before, after in pairwise(ledger))
    assert unaccounted(held(world, name), ledger) == 0
    return [entry.from_kind.value for entry in ledger[:1]] + [entry.holder_kind.value for entry in ledger]


def lost(world: World) -> None:
    """Kim's key, silent for so long that it is given up."""
    world.on_the_way()
    world.clock.move(hours=24 + 48)
    world.swept()
    world.clock.move(minutes=1)


def test_a_key_goes_from_hand_to_hand_and_comes_back(world: World) -> None:
    world.on_the_way()
    for word in ("out_for_delivery", "delivered"):
        world.clock.move(hours=1)
        world.hear((world.clock(), word))
    world.says(KIM, "tag-kim")
    assert holders(world) == ["depot", "carrier", "courier", "customer"]
    assert world.service.outstanding("con_kim") == ["tag-kim"]
    world.clock.move(days=90)
    world.scan_word("recovered")
    assert (held(world).holder, world.state()) == (Holder.COURIER, "verified")
    world.clock.move(hours=3)
    world.scan_word("received", by=PACKER)
    assert holders(world) == ["depot", "carrier", "courier", "customer", "courier", "depot"]
    assert world.service.outstanding("con_kim") == []
    assert (held(world).since, world.state()) == (world.clock(), "verified")


def test_a_return_scanned_without_signal_comes_in_any_order(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    world.clock.move(days=90)
    recovered = world.clock()
    world.clock.move(hours=3)
    world.scan_word("received", by=PACKER)
    world.scan(Scan("recovered", "tag-kim", "", recovered), COURIER)
    assert held(world).holder is Holder.DEPOT


def test_every_move_is_told(world: World) -> None:
    world.on_the_way()
    (fact,) = world.facts_named("KeyCustodyChanged")
    assert (fact.subject, fact.data["from_kind"], fact.data["holder_kind"]) == ("tag-kim", "depot", "carrier")
    assert (fact.data["contract_id"], fact.data["event"]) == ("con_kim", "carrier_accept")


def test_a_lost_key_blocks_its_car_until_it_is_rekeyed(world: World) -> None:
    lost(world)
    assert (world.state(), held(world).holder) == ("lost", Holder.UNKNOWN)
    assert [fact.type for fact in world.facts_named(*OF_LOSS)] == ["KeyLost"]
    assert world.service.outstanding("con_kim") == ["tag-kim"]
    told = world.service.order_by_tag("tag-kim", Event.REKEYED, OPS, "k1")
    assert (told.state, told.replayed) == ("written_off", False)
    assert world.service.order_by_tag("tag-kim", Event.REKEYED, OPS, "k1").replayed
    assert [fact.type for fact in world.facts_named(*OF_LOSS)] == ["KeyLost", "KeyRekeyed"]
    assert (held(world).holder, world.service.outstanding("con_kim")) == (Holder.WRITTEN_OFF, [])


def test_a_lost_key_that_is_found_comes_home(world: World) -> None:
    lost(world)
    world.clock.move(hours=1)
    assert world.service.order_by_tag("tag-kim", Event.FOUND, OPS, "k1").state == "returning"
    assert [fact.type for fact in world.facts_named(*OF_LOSS)] == ["KeyLost", "KeyFound"]
    for word in ("received", "audited"):
        world.clock.move(hours=1)
        world.scan_word(word, by=PACKER)
    assert (world.state(), held(world).holder) == ("restocked", Holder.DEPOT)
    assert holders(world) == ["depot", "carrier", "unknown", "courier", "depot"]


def test_a_parcel_given_up_and_scanned_after_all_was_never_lost(world: World) -> None:
    lost(world)
    world.hear((NOON + timedelta(hours=20), "delivered"))
    assert (world.state(), held(world).holder) == ("delivered", Holder.CUSTOMER)
    assert holders(world) == ["depot", "carrier", "unknown", "customer"]
    assert world.facts_named(*OF_LOSS)[-1].type == "KeyFound"


def test_a_key_sent_again_is_only_away_once_it_was_packed(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    world.take_tag("lee", "tag-kim")
    world.plan("lee")
    assert (held(world).holder, world.service.outstanding("con_kim")) == (Holder.CUSTOMER, ["tag-kim"])
    world.clock.move(hours=1)
    world.scan(pack(world.clock(), "tag-kim", label_of("lee"), Tracking("easypost", "EZ9")))
    assert (held(world).holder, world.service.outstanding("con_kim")) == (Holder.DEPOT, [])
    world.hear((world.clock(), "in_transit"), number="EZ9")
    assert world.service.outstanding("con_lee") == ["tag-kim"]
    assert holders(world)[-3:] == ["customer", "depot", "carrier"]


def test_the_word_for_each_holder_is_that_of_the_state() -> None:
    keeps = set(State) - set(BROUGHT_BY)
    assert keeps == {State.PLANNED, State.STALLED, State.INTERCEPTING}


def test_in_whatever_order_it_is_told_the_last_holder_is_the_same() -> None:
    for number, order in enumerate(permutations(DELIVERED)):
        if number % 7 == 0:
            world = memory_world(Hands(NOON + timedelta(hours=40)))
            world.plan()
            for tell in order:
                tell(world, "kim")
            assert (holders(world)[-1], held(world).since) == ("customer", NOON + timedelta(hours=30))


def silence(world: World) -> None:
    world.clock.move(hours=30)
    world.swept()


TELLINGS: tuple[Telling, ...] = (
    *DELIVERED,
    lambda world, name: world.says_by_name(name, None),
    lambda world, name: world.scan_word("recovered", name),
    lambda world, name: world.scan_word("received", name, by=PACKER),
    lambda world, name: silence(world),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(range(len(TELLINGS))), max_size=14), st.randoms(use_true_random=False))
def test_there_is_exactly_one_holder_at_every_moment(order: list[int], drawn: random.Random) -> None:
    world = memory_world(Hands(NOON + timedelta(hours=40)))
    world.plan()
    for number in order:
        TELLINGS[number](world, "kim")
        wrong = [each for each in world.history().log if each.by != "clock"]
        if wrong and drawn.random() < 0.2 and drawn.choice(wrong).event is not Event.DECLARED_IN_ERROR:
            declare(world, drawn.choice(wrong).id)
        assert holders(world)[-1:] in ([], [held(world).holder.value])
        assert held(world).holder is world.history().shipment.holder


def declare(world: World, event_id: str, instead: tuple[Event, datetime] | None = None) -> str:
    """The state after that event is declared an error; what cannot be is left."""
    shipment_id = world.history().shipment.shipment_id
    correction = Correction(event_id, Why.DID_NOT_OCCUR, instead)
    try:
        return world.service.correct(shipment_id, correction, OPS).state.value
    except NotCorrectable:
        return ""


def event_of(world: World, event: Event) -> str:
    return next(each.id for each in world.history().log if each.event is event)


def test_an_event_declared_an_error_stays_written_and_counts_no_more(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=5)
    world.hear((world.clock(), "in_transit"))
    world.clock.move(hours=1)
    world.hear((world.clock(), "delivered"))
    assert declare(world, event_of(world, Event.SCAN_DELIVERED)) == "in_transit"
    log = [each.event.value for each in world.in_order()]
    assert log[-2:] == ["scan_delivered", "declared_in_error"]
    assert holders(world) == ["depot", "carrier", "customer", "carrier"]
    assert world.facts_named("KeyCustodyChanged")[-1].data["event"] == "declared_in_error"


def test_a_correcting_event_takes_the_place_of_the_wrong_one(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=5)
    world.hear((NOON + timedelta(hours=4), "delivered"))
    wrong = event_of(world, Event.SCAN_DELIVERED)
    right = (Event.SCAN_ATTEMPT_FAILED, NOON + timedelta(hours=3))
    assert declare(world, wrong, right) == "attempt_failed"
    assert world.history().shipment.since == NOON + timedelta(hours=3)
    assert holders(world) == ["depot", "carrier", "customer", "carrier"]
    assert declare(world, wrong, right) == "attempt_failed"
    with pytest.raises(AlreadyCorrected):
        declare(world, wrong)
    world.hear((NOON + timedelta(hours=4), "delivered"))
    assert world.state() == "attempt_failed"


def test_an_end_that_was_an_error_is_open_again(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    assert not held(world).open
    assert declare(world, event_of(world, Event.CUSTOMER_SCAN_MATCH)) == "handed_to_carrier"
    shipment = world.history().shipment
    assert (held(world).open, shipment.due_at) == (True, NOON + timedelta(hours=24))
    assert holders(world) == ["depot", "carrier", "customer", "carrier"]


def test_what_the_clock_said_and_what_nobody_said_is_no_error(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=24)
    world.service.sweep()
    shipment_id = world.history().shipment.shipment_id
    with pytest.raises(NotCorrectable):
        world.service.correct(shipment_id, Correction("clock#1", Why.INCORRECT_DATA), OPS)
    with pytest.raises(UnknownEvent):
        world.service.correct(shipment_id, Correction("nothing", Why.INCORRECT_DATA), OPS)


def test_the_way_before_the_last_is_not_corrected(world: World) -> None:
    world.on_the_way()
    world.says(KIM, "tag-kim")
    world.take_tag("lee", "tag-kim")
    world.plan("lee")
    with pytest.raises(GoneOnAnotherWay):
        declare(world, event_of(world, Event.CUSTOMER_SCAN_MATCH))


def test_operations_see_a_key_and_its_history(world: World) -> None:
    world.on_the_way()
    found = world.service.key("tag-kim")
    assert (found.held.holder, found.state) == (Holder.CARRIER, State.HANDED_TO_CARRIER)
    assert [entry.holder_kind for entry in found.ledger] == [Holder.CARRIER]
    assert [each.event for each in found.log] == [Event.CARRIER_ACCEPT, Event.PACK_SCAN_OK]
    with pytest.raises(UnknownKey):
        world.service.key("tag-nobody")
