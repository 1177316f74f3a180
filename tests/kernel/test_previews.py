from datetime import timedelta

import pytest

from chalicelib.kernel.previews import HOLDS_FOR, PreviewExpired, Previews
from tests.conftest import NOON

PREVIEWS = Previews(lambda: "a secret")
SUBJECT = "cancel|con_1|3"
TOKEN = PREVIEWS.token(SUBJECT, NOON)


def test_what_was_shown_holds_for_ten_minutes() -> None:
    assert PREVIEWS.moment(SUBJECT, TOKEN, NOON + HOLDS_FOR) == NOON
    with pytest.raises(PreviewExpired):
        PREVIEWS.moment(SUBJECT, TOKEN, NOON + HOLDS_FOR + timedelta(milliseconds=1))


@pytest.mark.parametrize("subject", ["cancel|con_2|3", "cancel|con_1|4", "swap|con_1|3"])
def test_it_holds_for_nothing_else(subject: str) -> None:
    with pytest.raises(PreviewExpired):
        PREVIEWS.moment(subject, TOKEN, NOON)


@pytest.mark.parametrize(
    "token", ["", ".", "abc", "1.2", TOKEN[:-1], "9" + TOKEN, "٣" + TOKEN[1:], "1" * 400, "é.é"]
)
def test_what_we_did_not_write_is_no_preview(token: str) -> None:
    with pytest.raises(PreviewExpired):
        PREVIEWS.moment(SUBJECT, token, NOON)
