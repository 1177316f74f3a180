"""How codes are spelt: what can be guessed, mistyped and told from what is stored."""

import math

import pytest

from chalicelib.coupons.model import (
    RANDOM_SYMBOLS,
    SYMBOLS,
    Batch,
    CodeRefused,
    hash_of,
    mark_of,
    read_code,
    spell,
)
from tests.coupons.examples import SECRET


def letters_of(number: int) -> str:
    return spell(SECRET, "cmp_1", "b1", number).replace("-", "")


def refused(code: str) -> bool:
    try:
        read_code(code)
    except CodeRefused:
        return True
    return False


def test_c12_every_single_wrong_symbol_is_noticed() -> None:
    """Exhaustive over places and symbols. The check is linear: an error passes in one code if in all."""
    for code in map(letters_of, range(3)):
        for place, symbol in ((p, s) for p in range(15) for s in SYMBOLS if s != code[p]):
            assert refused(code[:place] + symbol + code[place + 1 :])


def test_c12_every_swap_of_two_neighbours_is_noticed() -> None:
    """Exhaustive over places and pairs of symbols, in codes made to hold that pair there."""
    swaps = 0
    for code in map(letters_of, range(2_000)):
        for place in range(14):
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            assert code == swapped or refused(swapped)
            swaps += code != swapped
    assert swaps > 25_000


def test_every_pair_of_wrong_symbols_is_noticed_too() -> None:
    """The distance of the code is three; swaps of any two places are pairs of wrong symbols."""
    code = letters_of(0)
    for first in range(15):
        for second in range(first + 1, 15):
            for a, b in ((a, b) for a in SYMBOLS[::3] for b in SYMBOLS[::3]):
                if (a, b) != (code[first], code[second]):
                    wrong = list(code)
                    wrong[first], wrong[second] = a, b
                    assert refused("".join(wrong))


def test_c12_guesses_pass_the_check_one_time_in_a_thousand() -> None:
    good = sum(not refused(letters_of(n)[:13] + SYMBOLS[n % 32] + SYMBOLS[n // 32]) for n in range(1024))
    assert good <= 12


def test_a_code_is_read_as_people_type_it() -> None:
    code = next(code for code in map(letters_of, range(99)) if "0" in code and "1" in code)
    typed = f" {code[:5].lower()}-{code[5:]} ".replace("0", "o").replace("1", "l")
    assert read_code(typed) == code


@pytest.mark.parametrize(
    "typed", ["", "-", "A" * 14, "A" * 16, "U" * 15, "한" * 15, "\x00" * 15, "A" * 10_000]
)
def test_what_cannot_be_a_code_is_refused(typed: str) -> None:
    assert refused(typed)


def test_c12_codes_are_derived_and_differ() -> None:
    codes = Batch("cmp_1", "b1", 5_000).codes(SECRET, 0, 5_000)
    assert len(set(codes)) == 5_000
    assert codes[4_000:] == Batch("cmp_1", "b1", 5_000, issued=9).codes(SECRET, 4_000, 9_999)
    assert not set(codes) & set(Batch("cmp_1", "b2", 5_000).codes(SECRET, 0, 5_000))
    assert not set(codes) & set(Batch("cmp_2", "b1", 5_000).codes(SECRET, 0, 5_000))
    assert not set(codes) & set(Batch("cmp_1", "b1", 5_000).codes("another key", 0, 5_000))


def test_c12_the_random_part_has_65_bits_of_no_pattern() -> None:
    codes = [letters_of(number)[:13] for number in range(4_000)]
    for place in range(13):
        assert {code[place] for code in codes} == set(SYMBOLS)


def test_c12_a_stored_hash_tells_nothing_without_the_key() -> None:
    code = letters_of(1)
    assert hash_of(SECRET, code) == hash_of(SECRET, f"{code[:5]}-{code[5:]}")
    assert hash_of(SECRET, code) != hash_of("another key", code)


def test_c12_a_million_live_codes_leave_more_than_a_hundred_thousand_million_guesses() -> None:
    """The check symbols are no secret: who guesses knows them, and tries code words only."""
    bits = RANDOM_SYMBOLS * math.log2(len(SYMBOLS))
    words, live = 2**bits, 10**6
    expected = (words + 1) / (live + 1)
    assert bits >= 60
    assert expected > 10**13 > 10**11
    attempts_per_year = 10 * 24 * 365  # of one account, at the most it may fail in an hour
    assert expected / attempts_per_year > 10**8


def test_c12_an_address_is_known_by_a_keyed_hash_and_ipv6_by_its_network() -> None:
    assert mark_of(SECRET, "203.0.113.7") == mark_of(SECRET, "203.0.113.7") != mark_of(SECRET, "203.0.113.8")
    assert mark_of(SECRET, "203.0.113.7") != mark_of("another key", "203.0.113.7")
    assert mark_of(SECRET, "2001:db8:1:2::1") == mark_of(SECRET, "2001:db8:1:2:ffff::9")
    assert mark_of(SECRET, "2001:db8:1:2::1") != mark_of(SECRET, "2001:db8:1:3::1")
    assert len(mark_of(SECRET, "no address at all" * 99)) == 32
