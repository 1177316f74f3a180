"""One try, and an honest word about what became of it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from chalicelib.doors.gateway import DirectMessenger, IotPublisher
from chalicelib.doors.model import NotAccepted, NotConnected, PerhapsAccepted


class Cloud(BaseHTTPRequestHandler):
    """Answers every publish with the same status; 0 hangs up after having read it."""

    status = 200
    heard: list[tuple[str, bytes]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((self.path, body))
        if self.status:
            self.send_response(self.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def cloud() -> Iterator[type[Cloud]]:
    Cloud.heard.clear()
    with HTTPServer(("127.0.0.1", 0), Cloud) as server:
        Cloud.port = server.server_port  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield Cloud
        server.shutdown()


def publisher(port: int) -> IotPublisher:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2)
    make: Any = boto3.client
    client = make("iot-data", endpoint_url=f"http://127.0.0.1:{port}", region_name="x", config=config)
    return IotPublisher(lambda: client)


def publish(port: int) -> None:
    publisher(port).publish("car-0001", json.dumps({"v": 1}).encode(), 15)


def test_it_goes_to_the_cars_own_topic_once_and_dies_with_the_command(cloud: Any) -> None:
    cloud.status = 200
    publish(cloud.port)
    ((path, body),) = cloud.heard
    assert path.startswith("/topics/cars%2Fcar-0001%2Fcommands?")
    assert {"qos=1", "messageExpiry=15"} <= set(path.split("?")[1].split("&"))
    assert "retain" not in path
    assert json.loads(body) == {"v": 1}


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429])
def test_r03_a_refused_publish_is_tried_once_and_certain(cloud: Any, status: int) -> None:
    cloud.status = status
    with pytest.raises(NotAccepted):
        publish(cloud.port)
    assert len(cloud.heard) == 1


@pytest.mark.parametrize("status", [500, 503, 0])
def test_r03_a_broken_answer_is_tried_once_and_not_certain(cloud: Any, status: int) -> None:
    cloud.status = status
    with pytest.raises(PerhapsAccepted):
        publish(cloud.port)
    assert len(cloud.heard) == 1


def test_where_nobody_listens_nothing_has_left() -> None:
    with pytest.raises(NotAccepted):
        publish(1)


WAYS: list[tuple[type[IotPublisher | DirectMessenger], str, dict[str, Any]]] = [
    (
        IotPublisher,
        "publish",
        {"topic": "cars/car-0001/commands", "qos": 1, "messageExpiry": 9},
    ),
    (
        DirectMessenger,
        "send_direct_message",
        {"clientId": "car-0001", "topic": "cars/car-0001/commands", "confirmation": True, "timeout": 5},
    ),
]
BOTH = {"contentType": "application/json", "payloadFormatIndicator": "UTF8_DATA", "payload": b"{}"}
SAID: list[tuple[int, str, dict[str, type[Exception] | None]]] = [
    # answer, its name, and what it means: through the broker, directly to the car
    (200, "", {"publish": None, "send_direct_message": None}),
    (404, "ResourceNotFoundException", {"publish": NotAccepted, "send_direct_message": NotConnected}),
    (429, "ThrottlingException", {"publish": NotAccepted, "send_direct_message": NotAccepted}),
    (500, "InternalFailureException", {"publish": PerhapsAccepted, "send_direct_message": PerhapsAccepted}),
    (504, "GatewayTimeoutException", {"publish": PerhapsAccepted, "send_direct_message": PerhapsAccepted}),
]


@pytest.mark.parametrize(("way", "operation", "asked"), WAYS)
@pytest.mark.parametrize(("status", "name", "meaning"), SAID)
def test_r03_every_way_to_the_cars_keeps_the_same_contract(
    way: type[IotPublisher | DirectMessenger],
    operation: str,
    asked: dict[str, Any],
    status: int,
    name: str,
    meaning: dict[str, type[Exception] | None],
) -> None:
    make: Any = boto3.client
    client = make("iot-data", region_name="ap-northeast-2")
    with Stubber(client) as stub:
        if status == 200:
            stub.add_response(operation, {}, {**asked, **BOTH})
        else:
            stub.add_client_error(operation, name, "no", status, expected_params={**asked, **BOTH})
        expected = meaning[operation]
        try:
            way(lambda: client).publish("car-0001", b"{}", 9)
            found = None
        except (NotAccepted, PerhapsAccepted) as problem:
            found = type(problem)
        assert found is expected
        stub.assert_no_pending_responses()


def test_a_direct_message_waits_no_longer_than_its_command_lives() -> None:
    make: Any = boto3.client
    client = make("iot-data", region_name="ap-northeast-2")
    with Stubber(client) as stub:
        stub.add_response("send_direct_message", {}, {**WAYS[1][2], **BOTH, "timeout": 2})
        DirectMessenger(lambda: client).publish("car-0001", b"{}", 2)
