"""What runs in the background: the emulator, the outside services, and the simulated cars."""

import os
import socket
import sys
from pathlib import Path

from infra.local import place
from infra.local.place import LOCAL, StackProblem
from infra.local.processes import Process
from infra.package import ROOT

EMULATOR = Process("emulator")
OFFICES = Process("offices")
FLEET = Process("fleet")
TEMPORARY = LOCAL / "tmp"
START_SECONDS = 60.0


def start_emulator() -> None:
    """On free ports, with IAM enforced, and with nothing of the caller's environment but the path."""
    must_be_free(place.PORT, "HANDOVER_PORT")
    must_be_free(place.MQTT_PORT, "HANDOVER_MQTT_PORT")
    python = ROOT / ".venv-emulator" / "bin" / "python"
    if not python.exists():
        raise StackProblem("the emulator is not installed; run make setup")
    TEMPORARY.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(TEMPORARY),
        "TMPDIR": str(TEMPORARY),
        "AUTH": "true",
        "BIND_HOST": place.HOST,
        "GATEWAY_PORT": str(place.PORT),
        "IOT_MTLS_PORT": str(place.MQTT_PORT),
        "LAMBDA_EXECUTOR": "local",
        "MINISTACK_REGION": place.REGION,
    }
    EMULATOR.start([str(python), str(Path(__file__).with_name("emulator.py"))], environment, LOCAL)
    EMULATOR.wait_for("Running on", START_SECONDS)
    EMULATOR.wait_for(f"MQTT listening on port {place.MQTT_PORT}", START_SECONDS)


def start_offices() -> None:
    """The payment gateway and the licence and recall offices."""
    must_be_free(place.OFFICES_PORT, "HANDOVER_OFFICES_PORT")
    command = [sys.executable, "-m", "infra.local.offices", "--port", str(place.OFFICES_PORT)]
    OFFICES.start(command, dict(os.environ), ROOT)
    OFFICES.wait_for("ready:", START_SECONDS)


def must_be_free(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.HOST, port))
        except OSError as problem:
            raise StackProblem(f"port {port} is in use; set {variable} to another one") from problem


def start_fleet(things: Path, ca_file: Path, behaviours: Path) -> None:
    """Every car that has a folder in `things`; done when all who can are connected."""
    command = [sys.executable, "-m", "infra.local.car", "--things", str(things), "--ca", str(ca_file)]
    where = ["--host", place.HOST, "--port", str(place.MQTT_PORT), "--behaviours", str(behaviours)]
    FLEET.start(command + where, dict(os.environ), ROOT)
    FLEET.wait_for("ready:", START_SECONDS)
