"""What docs/security.md promises can be looked up: every test and every file it names is there."""

import re
from pathlib import Path

import pytest

from infra import security
from tests.conftest import ROOT

DOCUMENT = security.DOCUMENT.read_text()
FILES = sorted(set(re.findall(r"`((?:chalicelib|infra|tests|docs|\.chalice)/[\w./-]*)", DOCUMENT)))
TESTS = sorted(set(re.findall(r"`(tests/[\w./]+\.py)::(test_\w+)`", DOCUMENT)))


def test_the_checked_in_table_is_what_the_tests_are_called() -> None:
    assert security.written(DOCUMENT) == DOCUMENT, "run `make docs`"


@pytest.mark.parametrize("number", security.REQUIREMENTS)
def test_every_requirement_has_a_test_of_its_name(number: int) -> None:
    assert [each for each in security.shown() if each.requirement == number]


def test_no_test_is_named_after_a_requirement_that_is_not_one() -> None:
    assert {each.requirement for each in security.shown()} <= set(security.REQUIREMENTS)


def test_every_file_it_names_exists() -> None:
    assert [name for name in FILES if not (ROOT / name).exists()] == []


def test_every_test_it_names_exists() -> None:
    assert TESTS
    assert [each for each in TESTS if not defined(*each)] == []


def defined(file: str, name: str) -> bool:
    path = ROOT / file
    return path.exists() and bool(re.search(rf"^ *def {name}\(", path.read_text(), re.MULTILINE))


def test_the_table_follows_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "doors"
    folder.mkdir(parents=True)
    (folder / "test_late.py").write_text(
        "def test_r02_too_late_is_never() -> None: ...\ndef test_other(): ...\n"
    )
    (found,) = security.shown(tmp_path / "tests")
    assert found == security.Shown(2, "tests/doors/test_late.py", "test_r02_too_late_is_never")
    assert "| R2 | No stale actuation | `tests/doors/test_late.py` | `test_r02_too_late_is_never` |" in (
        security.table([found])
    )
