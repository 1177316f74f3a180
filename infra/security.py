"""The tests that docs/security.md stands on: those named after a requirement (`test_rNN_...`), as a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.package import ROOT

DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- from the tests, by `make docs` -->", "<!-- end -->"
NAMED = re.compile(r"^ *def (test_r(\d\d)_\w+)\(", re.MULTILINE)

REQUIREMENTS = {
    1: "Explicit uncertainty",
    2: "No stale actuation",
    3: "Online first",
    4: "Idempotent and serialized per car",
    5: "Signed envelope and replay guard",
    6: "Ack integrity",
    7: "Device policy",
    8: "Preview-proof link",
    9: "Something the message lacks",
    10: "Grants, not links",
    11: "Bounded revocation",
    12: "Error contract",
    13: "Limits",
    14: "Audit before effect",
    15: "Batch for an incident",
}


@dataclass(frozen=True, order=True)
class Shown:
    """One test, and the requirement it shows."""

    requirement: int
    file: str
    name: str


def shown(folder: Path = ROOT / "tests") -> list[Shown]:
    return sorted(_found(folder))


def _found(folder: Path) -> Iterator[Shown]:
    for path in folder.rglob("test_*.py"):
        for name, number in NAMED.findall(path.read_text()):
            yield Shown(int(number), path.relative_to(folder.parent).as_posix(), name)


def table(tests: list[Shown]) -> str:
    lines = ["| | requirement | file | test |", "|---|---|---|---|"]
    for number, title in REQUIREMENTS.items():
        lead = f"R{number} | {title}"
        for test in (each for each in tests if each.requirement == number):
            lines.append(f"| {lead} | `{test.file}` | `{test.name}` |")
            lead = " | "
    return "\n".join(lines)


def written(document: str) -> str:
    """The document with the table as the tests are now."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{table(shown())}\n{END}{rest.partition(END)[2]}"
