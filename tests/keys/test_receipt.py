from datetime import timedelta

import pytest

from chalicelib.kernel.errors import KeyReused
from chalicelib.keys.model import UnknownShipment
from tests.conftest import NOON
from tests.keys.conftest import World
from tests.keys.examples import KIM, LEE, PARK, handoff, label_of, pack


@pytest.fixture
def delivered(world: World) -> World:
    """Kim's, Lee's and Park's keys, each delivered at noon."""
    for name in ("kim", "lee", "park"):
        world.plan(name)
        world.scan(pack(NOON - timedelta(hours=9), f"tag-{name}", label_of(name), None))
        world.scan(handoff(NOON - timedelta(hours=8), f"tag-{name}"))
        world.scan_word("delivered", name)
    world.clock.move(minutes=1)
    return world


def test_the_right_tag_proves_that_the_key_arrived(delivered: World) -> None:
    told = delivered.says(KIM, "tag-kim")
    assert (told.state, told.replayed) == ("verified", False)
    assert delivered.said()[-1] == "KeyShipmentVerified"
    assert delivered.history().shipment.due_at is None


def test_no_key_came_means_it_went_somewhere_else(delivered: World) -> None:
    assert delivered.says(KIM, None).state == "wrong_address"
    assert delivered.said()[-1] == "KeyShipmentMisdelivered"
    assert delivered.says(KIM, "tag-kim", key="k2").state == "verified"


def test_two_swapped_keys_are_found_by_one_scan(delivered: World) -> None:
    told = delivered.says(KIM, "tag-lee")
    assert told.state == "wrong_key"
    assert [delivered.state(name) for name in ("kim", "lee", "park")] == [
        "wrong_key",
        "wrong_key",
        "delivered",
    ]
    mismatched = [fact for fact in delivered.facts() if fact.type == "KeyShipmentMismatched"]
    assert {fact.data["contract_id"] for fact in mismatched} == {"con_kim", "con_lee"}
    assert {fact.data["event"] for fact in mismatched} == {"customer_scan_mismatch", "held_by_another"}


def test_the_second_of_a_pair_says_what_is_known(delivered: World) -> None:
    delivered.says(KIM, "tag-lee")
    facts = len(delivered.facts())
    assert delivered.says(LEE, "tag-kim").state == "wrong_key"
    assert len(delivered.facts()) == facts
    assert delivered.state("park") == "delivered"


def test_a_key_exchanged_between_neighbours_is_verified(delivered: World) -> None:
    delivered.says(KIM, "tag-lee")
    assert delivered.says(LEE, "tag-lee").state == "verified"
    assert delivered.says(KIM, "tag-kim", key="k2").state == "verified"


def test_three_keys_sent_round_in_a_circle_are_all_found(delivered: World) -> None:
    delivered.says(LEE, "tag-kim")
    assert delivered.state("park") == "delivered"
    delivered.says(KIM, "tag-park")
    assert [delivered.state(name) for name in ("kim", "lee", "park")] == ["wrong_key"] * 3
    assert delivered.said().count("KeyShipmentMismatched") == 3


def test_whoever_guesses_tags_strands_nobody(delivered: World) -> None:
    for number in range(3):
        delivered.says(KIM, f"tag-guess-{number}", key=f"k{number}")
    assert delivered.says(KIM, "tag-lee", key="k9").state == "wrong_key"
    assert delivered.state("lee") == "delivered"


def test_a_tag_nobody_knows_is_a_wrong_key_for_one(delivered: World) -> None:
    assert delivered.says(KIM, "tag-of-a-bicycle").state == "wrong_key"
    assert [delivered.state(name) for name in ("lee", "park")] == ["delivered", "delivered"]


def test_whose_key_was_verified_keeps_it_whatever_others_scan(delivered: World) -> None:
    delivered.says(LEE, "tag-lee")
    assert delivered.says(KIM, "tag-lee").state == "wrong_key"
    assert delivered.state("lee") == "verified"


def test_the_other_of_a_pair_may_still_be_on_its_way(world: World) -> None:
    world.on_the_way()
    world.plan("lee")
    world.scan(pack(tag="tag-lee", label=label_of("lee"), tracking=None))
    world.says(LEE, "tag-kim")
    assert (world.state("kim"), world.state("lee")) == ("wrong_key", "wrong_key")


def test_the_same_word_twice_is_answered_with_the_first_answer(delivered: World) -> None:
    first = delivered.says(KIM, "tag-lee")
    delivered.says(KIM, "tag-kim", key="k2")
    again = delivered.says(KIM, "tag-lee")
    assert (again.state, again.replayed) == (first.state, True)
    assert delivered.state() == "verified"
    assert delivered.state("lee") == "wrong_key"


def test_a_key_stands_for_one_word(delivered: World) -> None:
    delivered.says(KIM, "tag-kim")
    with pytest.raises(KeyReused):
        delivered.says(KIM, None)


def test_somebody_elses_key_is_no_business_of_mine(delivered: World) -> None:
    with pytest.raises(UnknownShipment):
        delivered.says(PARK, "tag-kim", contract_id="con_kim")
    with pytest.raises(UnknownShipment):
        delivered.says(PARK, "tag-kim", contract_id="con_nobody")


def test_no_key_came_is_believed_once_the_carrier_says_it_did(world: World) -> None:
    world.on_the_way()
    world.clock.move(hours=2)
    assert world.says(KIM, None).state == "handed_to_carrier"
    world.clock.move(hours=1)
    world.hear((NOON + timedelta(hours=1), "delivered"))
    assert world.state() == "wrong_address"


def test_both_of_a_pair_scanning_at_once_settle_both(delivered: World) -> None:
    words = iter([(KIM, "tag-lee"), (LEE, "tag-kim")])
    delivered.at_once(2, lambda: delivered.says(*next(words)))
    assert [delivered.state(name) for name in ("kim", "lee", "park")] == [
        "wrong_key",
        "wrong_key",
        "delivered",
    ]
    assert delivered.said().count("KeyShipmentMismatched") == 2
