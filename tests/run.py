"""Everything CI runs, in one go: checks, unit and page tests, then the tests on the deployed local stack.

The stack is stopped at the end, whatever happened, unless it was up before. The last line counts it all.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from infra.local.servers import EMULATOR
from infra.package import ROOT

DEPLOYED = "tests/stack"
AT_ONCE = 3
"""Files of them: most of their time is spent waiting, for seconds that a command lives or a sweep is away."""


@dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def step(self, *command: str) -> bool:
        """One command that passes or fails as a whole."""
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
        self.passed += done.returncode == 0
        self.failed += done.returncode != 0
        return done.returncode == 0

    def pytest(self, *arguments: str) -> None:
        """A run that collects nothing, or breaks before it could count, is a failure."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
            done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
            suite = ElementTree.parse(report).getroot()[0].attrib if report.exists() else {}
        wrong = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        self.passed += int(suite.get("tests", 0)) - wrong - int(suite.get("skipped", 0))
        self.failed += wrong or (done.returncode != 0)


def main() -> int:
    count = Count()
    was_up = EMULATOR.pid() is not None
    count.step("make", "--no-print-directory", "check")
    count.pytest("tests", "-n", "auto", "--dist", "worksteal", f"--ignore={DEPLOYED}")
    try:
        if count.step(sys.executable, "-m", "infra.local.stack", "up"):
            count.pytest(DEPLOYED, "-n", str(AT_ONCE), "--dist", "loadfile")
    finally:
        if not was_up:
            count.step(sys.executable, "-m", "infra.local.stack", "down")
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
