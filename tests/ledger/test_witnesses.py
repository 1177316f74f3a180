"""Three witnesses tell of every movement: whoever lies alone is named, with the amount."""

from hypothesis import given, settings

from tests.ledger.world import Spoilt, World, spoilt, worlds


@settings(max_examples=25)
@given(worlds())
def test_c14_witnesses_who_agree_differ_in_nothing_and_the_books_add_up_to_zero(world: World) -> None:
    assert world.differences() == []
    assert sum(amount for row in world.rows for amount in row.holds.values()) == 0


@settings(max_examples=50)
@given(spoilt())
def test_c14_the_one_item_that_is_wrong_is_named_with_its_amount(case: tuple[World, Spoilt]) -> None:
    world, spoilt = case
    found = world.differences()
    assert {each.item for each in found} == {spoilt.item}, found
    assert spoilt.amount is None or spoilt.amount in {each.amount for each in found}, found
