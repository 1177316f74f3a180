"""Where a secret, or somebody's data, stands in a text that many may read.

Of a code, a session, a key or a signature no piece may stand there; of a person neither number nor name.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date

PIECE, PIECE_OF_HEX = WIDTHS = 8, 12
"""Characters: 48 bits of a secret. Fewer would be found by chance."""


def standing(text: str, secrets: Iterable[str], personal: Iterable[str] = ()) -> list[str]:
    """Those of both that stand in the text, whole or in part."""
    words = set(re.findall(r"[\w+=-]{8,}", text))
    pieces = {width: {piece for word in words for piece in _pieces(word, width)} for width in WIDTHS}
    found = [it for it in secrets if not pieces[_width(it)].isdisjoint(_pieces(it, _width(it)))]
    return found + [it for it in personal if re.search(rf"(?<!\w){re.escape(it)}(?!\w)", text)]


def _width(secret: str) -> int:
    return PIECE_OF_HEX if re.fullmatch("[0-9a-f]+", secret) else PIECE


def _pieces(word: str, width: int) -> Iterator[str]:
    return (word[at : at + width] for at in range(len(word) - width + 1))


def of_phone(number: str) -> set[str]:
    """As people and programs write a Korean mobile number."""
    local = "0" + re.sub(r"\D", "", number).removeprefix("82").removeprefix("0")
    dashed = f"{local[:3]}-{local[3:7]}-{local[7:]}"
    return {local, local[1:], f"82{local[1:]}", f"+82{local[1:]}", dashed}


def of_birth(born: date) -> set[str]:
    return {born.isoformat(), f"{born:%Y%m%d}", f"{born:%y%m%d}"}


def of_licence(number: str) -> set[str]:
    plain = re.sub(r"\D", "", number)
    return {plain, f"{plain[:2]}-{plain[2:4]}-{plain[4:10]}-{plain[10:]}"}
