from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import convert

from chalicelib.kernel.states import IllegalMove
from chalicelib.notices.model import (
    ADVERTS,
    LIFE,
    PART_UNITS,
    SITE_CHARS,
    SMS_BYTES,
    START,
    WORDS,
    Event,
    State,
    Template,
    Unsendable,
    sms_bytes,
    sms_parts,
    text_of,
)
from chalicelib.notices.schemas import Cause
from chalicelib.smartkeys.model import CODE_CHARS

LONGEST_SITE = "https://" + "s" * (SITE_CHARS - 8)
LONGEST_LINK = LONGEST_SITE + "/k#" + "c" * CODE_CHARS


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_notice_moves_only_where_the_table_says(state: State, event: Event) -> None:
    turn = (State.WAITING, Event.T_TURN)
    may = (state, event) == turn or (state == State.PENDING and event != Event.T_TURN)
    assert LIFE.allows(state, event) == may
    if not may:
        with pytest.raises(IllegalMove):
            LIFE.after(state, event)


def test_every_state_is_reached_and_the_open_ones_have_a_timer() -> None:
    assert LIFE.reachable(START) == LIFE.states == set(State)
    assert LIFE.ends == {State.SENT, State.FAILED}
    assert LIFE.after(State.PENDING, Event.T_LEASE) == State.PENDING
    assert LIFE.after(State.WAITING, Event.T_TURN) == State.PENDING


@pytest.mark.parametrize(
    ("template", "language"), list(product(sorted(set(Template) - ADVERTS), ("ko", "en")))
)
def test_every_text_fits_one_domestic_text_and_one_part(template: Template, language: str) -> None:
    """As long as the site's address has at most 24 characters, which the deployment checks."""
    link = LONGEST_LINK if template is Template.SMART_KEY_LINK else LONGEST_SITE + "/my"
    text = text_of(template, language, link=link, points="10,000,000", day="12/31")
    assert sms_bytes(text) <= SMS_BYTES
    assert len(text.encode("utf-16-le")) // 2 <= PART_UNITS
    assert sms_parts(text) == 1


@pytest.mark.parametrize("language", list(WORDS[Template.SMART_KEY_LINK]))
def test_the_link_stands_last_and_says_who_writes(language: str) -> None:
    text = text_of(Template.SMART_KEY_LINK, language, link=LONGEST_LINK)
    assert text.endswith("\n" + LONGEST_LINK)
    assert text.startswith(("[핸드오버] ", "[handover] "))


def test_every_wording_exists_in_korean_and_english() -> None:
    assert set(WORDS) == set(Template)
    assert all(set(wordings) == {"ko", "en"} for wordings in WORDS.values())


def test_a_language_without_wording_hears_korean() -> None:
    assert text_of(Template.SMART_KEY_LINK, "fr", link="x").startswith("[핸드오버]")


@pytest.mark.parametrize(
    ("text", "size"), [("abc", 3), ("핸드오버", 8), ("펲시", 4), ("똠방각하", 8), ("쀍", 2), ("", 0)]
)
def test_rare_syllables_count_two_bytes_as_carriers_count(text: str, size: int) -> None:
    assert sms_bytes(text) == size


def test_the_old_encoding_would_have_miscounted() -> None:
    assert len("펲시".encode("euc-kr")) == 10


@pytest.mark.parametrize("text", ["🚗", "차 🚗", "❤️", "👨‍👩‍👧", "é", "\ud800"])
def test_what_no_domestic_phone_shows_is_refused(text: str) -> None:
    with pytest.raises(Unsendable):
        sms_bytes(text)


@given(some.text(alphabet=some.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=60))
def test_every_hangul_syllable_is_two_bytes_and_one_unit(text: str) -> None:
    assert sms_bytes(text) == 2 * len(text)
    assert sms_parts(text) == 1


@pytest.mark.parametrize(
    ("units", "parts"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)]
)
def test_parts_are_seventy_units_or_sixty_seven_of_several(units: int, parts: int) -> None:
    assert sms_parts("가" * units) == parts


def test_a_letter_outside_the_basic_plane_takes_two_units() -> None:
    assert sms_parts("𠮷" * 35) == 1
    assert sms_parts("𠮷" * 36) == 2


def test_the_promise_that_did_not_fit_is_seen() -> None:
    text = "고객님의 스마트키 링크가 발급됐어요. 24시간 안에 열어주세요.\n" + LONGEST_LINK
    assert sms_bytes(text) > SMS_BYTES
    assert sms_parts(text) == 2


@pytest.mark.parametrize(
    ("fact", "data", "template"),
    [
        ("ContractRejected", {}, Template.NOT_VERIFIED),
        ("ChargeFailed", {}, Template.CHARGE_FAILED),
        ("KeyShipmentMoved", {"to_state": "unconfirmed"}, Template.KEY_QUESTION),
        ("KeyShipmentMoved", {"to_state": "in_transit"}, None),
        ("AppointmentMissed", {"by": "partner"}, Template.PARTNER_MISSED),
        ("AppointmentMissed", {"by": "customer"}, None),
        ("ContractSigned", {}, None),
    ],
)
def test_customers_are_told_what_they_can_put_right(
    fact: str, data: dict[str, str], template: Template | None
) -> None:
    assert convert({"contract_id": "con_kim", **data}, Cause).template(fact) == template
