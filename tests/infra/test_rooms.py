"""The API function registers a context only when one of its paths is asked for."""

import json
import subprocess
import sys

import app
from chalicelib.kernel.http import DECLARED
from infra import rooms
from infra.package import ROOT

ASK = """
import json, os, sys
os.environ.update(STAGE="test", AWS_DEFAULT_REGION="ap-northeast-2", AWS_LAMBDA_FUNCTION_NAME="test-api")
from app import app
from tests.bench.wire import gateway_event
before = sorted(name for name in sys.modules if name.startswith("chalicelib.handlers."))
answer = app(gateway_event("GET", "/v1/health", {}), None)
after = sorted(name for name in sys.modules if name.startswith("chalicelib.handlers."))
for path, room in list(app._rooms.items()):
    app.open(room)
print(json.dumps([before, answer["statusCode"], after, sorted(app.routes)]))
"""


def test_a_cold_start_loads_the_one_context_that_is_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    before, status, after, paths = json.loads(done.stdout)
    assert (before, status, after) == ([], 200, ["chalicelib.handlers.contracts"])
    assert set(paths) == {declared.path for declared in DECLARED}


def test_every_path_stands_in_the_table_of_rooms() -> None:
    assert rooms.FILE.read_text() == rooms.written(), "write it again: python -m infra.rooms"


def test_every_handler_is_registered() -> None:
    there = {path.stem for path in (ROOT / "chalicelib" / "handlers").glob("*.py")} - {"__init__"}
    assert set(app.HANDLERS) == there


def test_one_path_belongs_to_one_context() -> None:
    owners = {(declared.path, declared.module) for declared in DECLARED}
    assert len(owners) == len({path for path, _ in owners})
