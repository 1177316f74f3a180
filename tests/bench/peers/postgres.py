"""A PostgreSQL of its own for the peers: its own data, a socket in a folder of its own and no port at all.

As root it runs as the user `postgres`, since it refuses to run as root. It does not wait for the disk: the
local DynamoDB does not either.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "postgres"
NAME = "peers"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "256MB",
}


class NoPostgres(Exception):
    """PostgreSQL is not there, or does not start; a sentence for whoever typed the command."""


def program(name: str) -> str:
    """Debian keeps the server's programs off the path."""
    found = shutil.which(name) or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        raise NoPostgres(f"there is no {name}: install PostgreSQL (Debian: apt-get install postgresql)")
    return found


@contextmanager
def running(data: Path) -> Iterator[str]:
    """The folder of the socket of a fresh server, which ends with the block, stopped by its pid."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    socket = Path(tempfile.mkdtemp(prefix="handover-"))
    try:
        for folder in (data, socket):
            folder.chmod(0o700)
            if os.geteuid() == 0:
                shutil.chown(folder, USER, pwd.getpwnam(USER).pw_gid)
        _run("initdb", "-D", str(data), "-U", NAME, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = [f"-c {name}={value or chr(39) * 2}" for name, value in SETTINGS.items()]
        command = ["-D", str(data), "-l", str(data / "log"), "-o", " ".join([f"-k {socket}", *options])]
        _run("pg_ctl", "-w", *command, "start")
        try:
            _run("createdb", "-h", str(socket), "-U", NAME, NAME)
            yield str(socket)
        finally:
            _run("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(socket, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def version() -> str:
    command = [program("postgres"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _run(name: str, *arguments: str) -> None:
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []}
    command = [program(name), *arguments]
    with tempfile.TemporaryFile() as said:  # a server that stays would hold a pipe open
        done = subprocess.run(command, stdout=said, stderr=said, cwd="/", check=False, **who)
        said.seek(0)
        if done.returncode:
            raise NoPostgres(f"{name} failed: {said.read().decode(errors='replace').strip()[-500:]}")
