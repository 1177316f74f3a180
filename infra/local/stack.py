"""Brings the local stack up and down: `python -m infra.local.stack up|down`.

Up is safe to repeat: it starts what is not running and deploys when the sources changed. When any step fails,
everything is stopped.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import sys
import time
import traceback
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.bootstrap import CARRIERS
from infra.deploy import Deployer, NotDeployed
from infra.local import demo, people, place
from infra.local.client import Api, Unexpected
from infra.local.place import LOCAL, STACK_FILE, StackProblem, client
from infra.local.processes import Process, running
from infra.local.things import workshop
from infra.package import ROOT, NotPackaged, package

EMULATOR = Process("emulator")
FLEET = Process("fleet")
DEPLOYED = LOCAL / "deployed"
THINGS = LOCAL / "things"
CA_FILE = LOCAL / "ca.pem"
START_SECONDS = 60.0
SOURCES = ("app.py", "requirements.txt", "chalicelib/**/*", ".chalice/**/*.json", "infra/*")
"""What a deploy is made of."""


class Elsewhere(StackProblem):
    """It is up on other ports, and stays as it is."""


def up() -> dict[str, Any]:
    """What `.local/stack.json` says, once every part answers."""
    LOCAL.mkdir(exist_ok=True)
    with _alone():
        try:
            return _up()
        except Elsewhere:
            raise
        except BaseException:
            _stop()
            raise


def down() -> None:
    LOCAL.mkdir(exist_ok=True)
    with _alone():
        _stop()


def _up() -> dict[str, Any]:
    if EMULATOR.pid() is None:
        _stop()
        _start_emulator()
    elif STACK_FILE.exists() and (where := _known()["aws"]["endpoint_url"]) != place.ENDPOINT:
        raise Elsewhere(f"the local stack is already up at {where}; make down first, or use its port")
    sources = _sources()
    if not DEPLOYED.exists() or DEPLOYED.read_text() != sources or not STACK_FILE.exists():
        FLEET.stop()
        stack = _deploy()
        _start_fleet()
        _write(STACK_FILE, json.dumps(stack, indent=2))
        DEPLOYED.write_text(sources)
    elif FLEET.pid() is None:
        _start_fleet()
    return _known()


def _known() -> dict[str, Any]:
    return dict(json.loads(STACK_FILE.read_text())) if STACK_FILE.exists() else {}


def _stop() -> None:
    """Everything in the background, also what an interrupted command left behind; the emulator last."""
    for process in sorted(running(), key=lambda process: process.name == EMULATOR.name):
        process.stop()
    for path in (STACK_FILE, DEPLOYED, CA_FILE):
        path.unlink(missing_ok=True)
    for folder in (THINGS, LOCAL / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)


def _start_emulator() -> None:
    for port, name in ((place.PORT, "HANDOVER_PORT"), (place.MQTT_PORT, "HANDOVER_MQTT_PORT")):
        _must_be_free(port, name)
    program = ROOT / ".venv-emulator" / "bin" / "python"
    if not program.exists():
        raise StackProblem("the emulator is not installed; run make setup")
    temporary = LOCAL / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "AUTH": "true",
        "BIND_HOST": place.HOST,
        "GATEWAY_PORT": str(place.PORT),
        "IOT_MTLS_PORT": str(place.MQTT_PORT),
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_REGION": place.REGION,
    }
    _say("starting the emulator")
    EMULATOR.start([str(program), str(Path(__file__).with_name("emulator.py"))], environment, LOCAL)
    EMULATOR.wait_for("Running on", START_SECONDS)
    EMULATOR.wait_for(f"MQTT listening on port {place.MQTT_PORT}", START_SECONDS)


def _must_be_free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.HOST, port))
        except OSError as problem:
            raise StackProblem(f"port {port} is in use; set {variable} to another one") from problem


def _deploy() -> dict[str, Any]:
    """Twice the app: the address of the API, which texts carry, is known only when the API is there."""
    _say("packaging the Lambdas")
    made = package(LOCAL / "package")
    _say("deploying tables, app and IoT")
    deployer = Deployer(place.session(), place.STAGE, place.ENDPOINT)
    deployer.tables()
    parameters = {"CognitoEndpoint": place.ENDPOINT}
    outputs = deployer.app(made, parameters)
    site = f"http://{outputs['RestAPIId']}.execute-api.localhost:{place.PORT}/api"
    deployer.app(made, {**parameters, "SiteUrl": site})
    deployer.iot()
    CA_FILE.write_bytes(_get(f"{place.ENDPOINT}/_ministack/iot/ca.pem"))
    return _described(outputs, site)


def _described(outputs: dict[str, str], site: str) -> dict[str, Any]:
    """Users keep their passwords while the stack is up; demo data is loaded when there are none yet."""
    pool = {"id": outputs["PoolId"], "client_id": outputs["PoolClientId"]}
    api_url = f"{place.ENDPOINT}/restapis/{outputs['RestAPIId']}/api/_user_request_"
    users = _known().get("users") or demo.users(client("cognito-idp"), pool["id"])
    ops = people.sign_in(client("cognito-idp"), pool["client_id"], people.User(**users["ops"]))
    _say("loading the demo data")
    demo.load(Api(api_url, token=ops), workshop())
    return {
        "api_url": api_url,
        "site_url": site,
        "aws": {
            "endpoint_url": place.ENDPOINT,
            "region": place.REGION,
            "access_key_id": place.KEY_ID,
            "secret_access_key": place.SECRET_KEY,
        },
        "user_pool": pool,
        "users": users,
        "sms_outbox_url": f"{place.ENDPOINT}/_ministack/sns/sms-messages",
        "carriers": {name: {"webhook_secret": _secret(f"carrier-{name}")} for name in CARRIERS},
        "mqtt": {"host": place.HOST, "port": place.MQTT_PORT, "ca_file": str(CA_FILE)},
        "things": {folder.name: {"dir": str(folder)} for folder in sorted(THINGS.iterdir())},
    }


def _start_fleet() -> None:
    _say("starting the cars")
    command = [sys.executable, "-m", "infra.local.car", "--things", str(THINGS), "--ca", str(CA_FILE)]
    command += [
        "--host",
        place.HOST,
        "--port",
        str(place.MQTT_PORT),
        "--behaviours",
        str(LOCAL / "behaviours.json"),
    ]
    FLEET.start(command, dict(os.environ), ROOT)
    FLEET.wait_for("ready:", START_SECONDS)


def _say(what: str) -> None:
    """A step of minutes' work, for whoever waits."""
    print(f"  {what} ...", flush=True)


def _secret(name: str) -> str:
    answer = client("secretsmanager").get_secret_value(SecretId=f"{place.STAGE}/handover/{name}")
    return str(answer["SecretString"])


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and readable by its owner only: there are passwords in it."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once would stop each other's processes; the second waits."""
    with (LOCAL / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


KNOWN = (StackProblem, NotPackaged, NotDeployed, Unexpected)


def main() -> int:
    act = {"up": up, "down": down}[sys.argv[1]]
    started = time.monotonic()
    try:
        stack = act()
    except KNOWN as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError, OSError, KeyError) as problem:
        (LOCAL / "problem.log").write_text(traceback.format_exc())
        print(f"handover: {type(problem).__name__}: {problem} (see {LOCAL / 'problem.log'})", file=sys.stderr)
        return 1
    if stack:
        print(f"up in {time.monotonic() - started:.0f} s: {stack['site_url']}  (details in {STACK_FILE})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
