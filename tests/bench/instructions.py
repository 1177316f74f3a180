"""Instructions of a script, counted by valgrind's callgrind: exact and repeatable where seconds are not."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class NotCounted(Exception):
    """The script failed under callgrind, or callgrind is missing."""


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT),
        "STAGE": "test",
        "AWS_LAMBDA_FUNCTION_NAME": "test-api",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "handover",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }


def count(module: str, *arguments: str) -> int:
    """Instructions of `python -m module arguments`, which runs once unmeasured first to compile bytecode."""
    plain = [sys.executable, "-m", module, *arguments]
    for command in (plain, ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *plain]):
        try:
            run = subprocess.run(
                command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
            )
        except FileNotFoundError as problem:
            raise NotCounted(str(problem)) from problem
        if run.returncode:
            raise NotCounted(f"{module}: {run.stderr[-2000:]}")
    return int(re.findall(r"Collected : (\d+)", run.stderr)[-1])


def count_each(module: str, *arguments: str, few: int = 20, many: int = 60) -> float:
    """Instructions of one more repetition; their number is the module's last argument."""
    difference = count(module, *arguments, str(many)) - count(module, *arguments, str(few))
    return difference / (many - few)
