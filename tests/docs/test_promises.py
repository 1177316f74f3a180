"""What docs/security.md and docs/money.md promise can be looked up: what they name is there."""

import re
from pathlib import Path

import pytest

from infra.promises import EVERY, SECURITY, Promises, Shown
from tests.conftest import ROOT

BOTH = pytest.mark.parametrize("promises", EVERY, ids=lambda each: each.document.stem)
NUMBERED = [(each, number) for each in EVERY for number in each.requirements]


@BOTH
def test_the_checked_in_table_is_what_the_tests_are_called(promises: Promises) -> None:
    assert promises.written() == promises.document.read_text(), "run `make docs`"


@pytest.mark.parametrize(("promises", "number"), NUMBERED, ids=lambda it: getattr(it, "letter", it))
def test_every_requirement_has_a_test_of_its_name(promises: Promises, number: int) -> None:
    assert [each for each in promises.shown() if each.requirement == number]


@BOTH
def test_no_test_is_named_after_a_requirement_that_is_not_one(promises: Promises) -> None:
    assert {each.requirement for each in promises.shown()} <= set(promises.requirements)


@BOTH
def test_every_file_it_names_exists(promises: Promises) -> None:
    text = promises.document.read_text()
    named = set(re.findall(r"`((?:chalicelib|infra|tests|docs|\.chalice)/[\w./-]*)", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@BOTH
def test_every_test_it_names_exists(promises: Promises) -> None:
    named = set(re.findall(r"`(tests/[\w./]+\.py)::(test_\w+)`", promises.document.read_text()))
    assert named
    assert [each for each in sorted(named) if not defined(*each)] == []


def defined(file: str, name: str) -> bool:
    path = ROOT / file
    return path.exists() and bool(re.search(rf"^ *def {name}\(", path.read_text(), re.MULTILINE))


def test_the_table_follows_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "doors"
    folder.mkdir(parents=True)
    (folder / "test_late.py").write_text(
        "def test_r02_too_late_is_never(): ...\ndef test_c02_other(): ...\ndef test_other(): ...\n"
    )
    (found,) = SECURITY.shown(tmp_path / "tests")
    assert found == Shown(2, "tests/doors/test_late.py", "test_r02_too_late_is_never")
    assert "| R2 | No stale actuation | `tests/doors/test_late.py` | `test_r02_too_late_is_never` |" in (
        SECURITY.table([found])
    )
