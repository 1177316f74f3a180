"""Starting and stopping: the pieces of `make up` and `make down`."""

import importlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from infra.bootstrap import alarm_email, outside, payments_key, site_url
from infra.local import demo, place, processes, servers
from infra.local.invoke import function_of
from infra.package import ROOT
from tests.stack.conftest import eventually

PARENT = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def process(tmp_path: Path) -> processes.Process:
    return processes.Process("sleeper", tmp_path)


def test_a_process_ends_with_everything_it_started(process: processes.Process, tmp_path: Path) -> None:
    process.start([sys.executable, "-c", PARENT], dict(os.environ), tmp_path)
    process.wait_for("\n", 20)
    pid, child = process.pid(), int(process.log.read_text())
    process.stop()
    assert pid is not None
    assert process.pid() is None
    assert eventually(lambda: not processes.born(child))


def test_a_pid_that_was_given_to_a_stranger_is_left_alone(process: processes.Process, tmp_path: Path) -> None:
    (tmp_path / "sleeper.pid").write_text(f"{os.getpid()}\nanother time")
    assert process.pid() is None
    process.stop()


def test_a_process_that_ends_at_once_is_reported_with_its_last_words(
    process: processes.Process, tmp_path: Path
) -> None:
    process.start([sys.executable, "-c", "print('no licence')"], dict(os.environ), tmp_path)
    with pytest.raises(place.StackProblem, match="sleeper did not start: no licence"):
        process.wait_for("ready", 20)


def test_a_busy_port_is_one_clear_sentence() -> None:
    with socket.socket() as busy:
        busy.bind((place.HOST, 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(
            place.StackProblem, match=f"^port {port} is in use; set HANDOVER_PORT to another one$"
        ):
            servers.must_be_free(port, "HANDOVER_PORT")


def test_the_site_in_texts_is_short_and_safe() -> None:
    assert site_url("https://k.handover.kr").ready
    assert not site_url("https://smart-key.handover.kr").ready
    assert not site_url("http://k.handover.kr").ready
    assert not site_url("https://k.handover.kr/").ready
    assert not site_url("").ready


@pytest.mark.parametrize("text", ["abc", "0", "70000", "-1", "45 66", "４５"])
@pytest.mark.parametrize("variable", ["HANDOVER_PORT", "HANDOVER_MQTT_PORT", "HANDOVER_OFFICES_PORT"])
def test_a_port_that_is_none_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(SystemExit, match=f"^handover: {variable} is a port from 1 to 65535, not {text}$"):
        importlib.reload(place)


def test_the_outside_services_answer_once_they_are_ready(process: processes.Process, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind((place.HOST, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "infra.local.offices", "--port", str(port)]
    process.start(command, dict(os.environ), ROOT)
    process.wait_for("ready:", 20)
    assert urllib3.request("GET", f"http://{place.HOST}:{port}/payments").json() == {"payments": []}
    process.stop()


def test_the_outside_services_are_named_and_safe() -> None:
    assert outside("PAYMENTS_URL", "https://api.tosspayments.com", "the gateway").ready
    for url in ("", "http://api.tosspayments.com", "https://api.tosspayments.com/"):
        assert not outside("PAYMENTS_URL", url, "the gateway").ready


def test_a_generated_key_is_not_the_gateways(dynamodb: Any) -> None:
    secrets: Any = boto3.client("secretsmanager")
    assert not payments_key(secrets, "prod").ready
    secrets.create_secret(Name="prod/handover/payments-key", SecretString="x" * 64)
    assert not payments_key(secrets, "prod").ready
    secrets.put_secret_value(SecretId="prod/handover/payments-key", SecretString="live_sk_1")
    assert payments_key(secrets, "prod").ready


def test_somebody_hears_the_alarms() -> None:
    assert alarm_email("ops@handover.example").ready
    assert not alarm_email("").ready


def test_every_sample_event_names_a_function_that_exists() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    functions = {"api", *config["stages"]["main"]["lambda_functions"]}
    folders = ("http", "iot", "schedule", "stream", "bus", "queue")
    events = [path for folder in folders for path in (ROOT / "events" / folder).glob("*.json")]
    assert events
    assert [path.name for path in events if function_of(path) not in functions] == []


def test_the_demo_cars_with_a_behaviour_have_a_unit() -> None:
    assert demo.BEHAVIOURS.keys() <= set(demo.car_ids()[: demo.WITH_UNIT])
