from enum import StrEnum

import pytest

from chalicelib.kernel.states import Table
from infra import docs
from tests.conftest import ROOT


def test_the_checked_in_diagrams_are_what_the_code_says() -> None:
    assert (ROOT / "docs" / "states.md").read_text() == docs.states(), "run `make docs`"


@pytest.mark.parametrize("name", list(docs.tables()))
def test_a_diagram_starts_where_things_start(name: str) -> None:
    table: Table[StrEnum, StrEnum] = docs.tables()[name]
    assert table.reachable(table.rows[0][0]) == table.states
