"""Requirements, and the tests that show them best: those named after one (`test_r02_...`), as a table in the
document that stands on them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.package import ROOT

BEGIN, END = "<!-- from the tests, by `make docs` -->", "<!-- end -->"


@dataclass(frozen=True, order=True)
class Shown:
    """One test, and the requirement it shows."""

    requirement: int
    file: str
    name: str


@dataclass(frozen=True)
class Promises:
    """`letter` begins the number in a test's name."""

    document: Path
    letter: str
    requirements: Mapping[int, str]

    def shown(self, folder: Path = ROOT / "tests") -> list[Shown]:
        return sorted(self._found(folder))

    def _found(self, folder: Path) -> Iterator[Shown]:
        named = re.compile(rf"^ *def (test_{self.letter}(\d\d)_\w+)\(", re.MULTILINE)
        for path in folder.rglob("test_*.py"):
            for name, number in named.findall(path.read_text()):
                yield Shown(int(number), path.relative_to(folder.parent).as_posix(), name)

    def table(self, tests: list[Shown]) -> str:
        lines = ["| | requirement | file | test |", "|---|---|---|---|"]
        for number, title in self.requirements.items():
            lead = f"{self.letter.upper()}{number} | {title}"
            for test in (each for each in tests if each.requirement == number):
                lines.append(f"| {lead} | `{test.file}` | `{test.name}` |")
                lead = " | "
        return "\n".join(lines)

    def written(self) -> str:
        """The document with the table as the tests are now."""
        before, _, rest = self.document.read_text().partition(BEGIN)
        return f"{before}{BEGIN}\n{self.table(self.shown())}\n{END}{rest.partition(END)[2]}"


SECURITY = Promises(
    ROOT / "docs" / "security.md",
    "r",
    {
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
    },
)
MONEY = Promises(
    ROOT / "docs" / "money.md",
    "c",
    {
        1: "Zero overspend",
        2: "Exact end",
        3: "No false EXHAUSTED",
        4: "Exactly once, for ever",
        5: "Restore is as strong as spend",
        6: "Reserve, capture, release, with a crash at every call",
        7: "Composite payment is atomic",
        8: "Points in lots",
        9: "The cap is the campaign's",
        10: "The reject path is cheap",
        11: "A cost budget for each operation",
        12: "Codes",
        13: "Bulk issue",
        14: "Ledger and reconciliation",
        15: "Operators' acts are linearizable",
    },
)
EVERY = (SECURITY, MONEY)
