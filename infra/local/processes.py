"""The processes of the local stack: each has a pid file and a log, and is stopped by that pid alone."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.place import LOCAL, StackProblem

GRACE_SECONDS = 8.0


class Process:
    """One background process and whatever it starts: they share a session, so that they end together."""

    def __init__(self, name: str, folder: Path = LOCAL) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"

    def start(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{started.pid}\n{born(started.pid)}")

    def pid(self) -> int | None:
        """None when it is not running; a pid that now belongs to a stranger is not ours."""
        try:
            number, then = self._pid_file.read_text().split("\n")
        except (FileNotFoundError, ValueError):
            return None
        return int(number) if then and then == born(int(number)) else None

    def stop(self) -> None:
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            self._wait_for_end(pid)
            _end_group(pid)
        self._pid_file.unlink(missing_ok=True)

    def wait_for(self, ready: str, seconds: float) -> None:
        """Until the log says `ready`; StackProblem when the process ends or the time is over."""
        end = time.monotonic() + seconds
        while ready not in self.log.read_text(errors="replace"):
            if self.pid() is None or time.monotonic() > end:
                raise StackProblem(f"the {self.name} did not start: {self.last_words()} (see {self.log})")
            time.sleep(0.1)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def _wait_for_end(self, pid: int) -> None:
        end = time.monotonic() + GRACE_SECONDS
        while self.pid() is not None and time.monotonic() < end:
            _reap(pid)
            time.sleep(0.05)


def running(folder: Path = LOCAL) -> list[Process]:
    """Every process that was started and not yet stopped."""
    return [Process(path.stem, folder) for path in folder.glob("*.pid")]


def born(pid: int) -> str:
    """When that process started, as the system counts; nothing for a zombie or none."""
    if not Path("/proc/self/stat").exists():
        command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        state, _, born = subprocess.run(
            command, capture_output=True, text=True, check=False
        ).stdout.partition(" ")
        return "" if state.startswith("Z") else born.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _reap(pid: int) -> None:
    """A child of an earlier `make up` is init's to reap."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _end_group(pid: int) -> None:
    """Lambda workers and whatever else outlived the process that started them."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
