"""What an attacker has in hand, tried on the deployed stack: each attempt is refused, and each is on record.

IAM is enforced on every call and IoT policies on every packet; the certificates and the keys are real ones.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.doors.model import signature
from infra.local import place
from infra.local.car import COMMAND_KEY, now_ms
from infra.local.client import Api
from tests.stack.cars import BIRTH_DATE, STAGE, Drive, Garage, until
from tests.stack.test_stack import NOBODY, refused


@pytest.fixture(scope="module")
def garage(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Garage:
    return Garage(stack, Path(tmp_path_factory.mktemp("things")))


@pytest.fixture(scope="module")
def drive(garage: Garage) -> Drive:
    """A car like any other."""
    return garage.make()


@pytest.fixture(scope="module")
def victim(garage: Garage) -> Drive:
    """A car that answers nothing itself: what is believed about its commands is the attacker's word."""
    return garage.make("deaf")


@pytest.fixture(scope="module")
def unanswered(victim: Drive) -> dict[str, Any]:
    with victim.on_air():
        return victim.press("unlock")


@pytest.fixture(scope="module")
def insider() -> Iterator[boto3.Session]:
    """Somebody whose only right is iot:Publish, on every topic."""
    iam, name = place.client("iam"), f"insider-{uuid.uuid4().hex[:8]}"
    only = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name,
        PolicyName="publish",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [only]}),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=place.REGION)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="publish")
    iam.delete_user(UserName=name)


@pytest.fixture(scope="module")
def publish(insider: boto3.Session) -> Callable[[str, bytes], None]:
    client: Any = insider.client("iot-data", endpoint_url=place.ENDPOINT)

    def send(topic: str, payload: bytes) -> None:
        client.publish(topic=topic, qos=1, payload=payload)

    return send


def ack(command: dict[str, Any], nonce: str, **more: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "command_id": command["command_id"],
        "nonce": nonce,
        "status": "succeeded",
        "at": now_ms(),
        **more,
    }


def envelope(**changes: Any) -> dict[str, Any]:
    """An unlock as the service would write it, if it were asked now."""
    at = now_ms()
    return {
        "v": 1,
        "command_id": f"cmd_{uuid.uuid4().hex[:26]}",
        "grant_id": "grt_forged",
        "action": "unlock",
        "counter": 999_999,
        "issued_at": at,
        "expires_at": at + 15_000,
        "nonce": "00000000000000aa",
        **changes,
    }


def test_r05_whoever_may_only_publish_reaches_the_car_and_opens_nothing(
    drive: Drive, victim: Drive, publish: Callable[[str, bytes], None]
) -> None:
    commands = f"cars/{drive.car_id}/commands"
    stolen = (victim.thing / COMMAND_KEY).read_text().strip()
    forged = envelope()
    with drive.on_air() as car:
        publish(commands, json.dumps(forged).encode())
        for sig in (
            "",
            "0" * 64,
            signature(stolen, victim.car_id, forged),
            signature(stolen, drive.car_id, forged),
        ):
            publish(commands, json.dumps({**forged, "sig": sig}).encode())
        until(lambda: len(car.unit.refused) == 4)
        assert set(car.unit.refused) == {"BAD_SIGNATURE"}
        assert (car.unit.executed, car.unit.body.locked, car.unit.memory.counter) == ([], True, 0)
        until(lambda: "unknown_command" in drive.refused())
        assert drive.settled(drive.press("unlock"))["state"] == "SUCCEEDED", "nor does it stand in our way"


def test_r05_a_recorded_envelope_sent_again_acts_on_no_car(
    drive: Drive, publish: Callable[[str, bytes], None]
) -> None:
    with drive.on_air() as car:
        drive.settled(drive.press("lock"))
        drive.settled(drive.press("unlock"))
        recorded = {json.loads(payload)["action"]: payload for payload in car.heard}
        executed, refusals = list(car.unit.executed), len(car.unit.refused)
        for action in ("unlock", "lock", "unlock"):
            publish(f"cars/{drive.car_id}/commands", recorded[action])
        until(lambda: len(car.unit.refused) >= refusals + 3)
        assert (car.unit.executed, car.unit.body.locked) == (executed, False)
        assert set(car.unit.refused) == {"REPLAYED"}
        until(lambda: "not_now" in drive.refused())


def test_r05_whoever_may_only_publish_can_do_nothing_else(insider: boto3.Session, drive: Drive) -> None:
    assert not refused(insider, "iot-data", "publish", topic="cars/nobody/commands", qos=1, payload=b"{}")
    others: list[tuple[str, str, dict[str, Any]]] = [
        ("dynamodb", "get_item", {"TableName": f"{STAGE}-doors", "Key": NOBODY}),
        ("secretsmanager", "get_secret_value", {"SecretId": f"{STAGE}/handover/command-key"}),
        ("lambda", "invoke", {"FunctionName": f"{STAGE}-doors_ack", "Payload": b"{}"}),
        ("events", "put_events", {"Entries": [{"Source": "x", "DetailType": "x", "Detail": "{}"}]}),
        ("iot", "update_certificate", {"certificateId": "0" * 64, "newStatus": "INACTIVE"}),
        ("iot-data", "get_thing_shadow", {"thingName": drive.car_id}),
        ("sns", "publish", {"PhoneNumber": "+821000000000", "Message": "https://evil.example"}),
    ]
    assert [each[:2] for each in others if not refused(insider, each[0], each[1], **each[2])] == []


def test_r06_whoever_may_only_publish_speaks_for_no_car(
    victim: Drive, unanswered: dict[str, Any], publish: Callable[[str, bytes], None]
) -> None:
    """Not even with the right nonce, nor under a client id of their own making."""
    right = {**ack(unanswered, victim.nonce(unanswered)), "client_id": victim.car_id}
    place_ = {"lat": 37.0, "lon": 127.0}
    body = {
        "locked": False,
        "doors_open": False,
        "ignition_on": False,
        "moving": False,
        "battery_percent": 50,
    }
    state = {
        "v": 1,
        "at": now_ms() + 1000,
        "seq": 9_999,
        **body,
        "position": place_,
        "client_id": victim.car_id,
    }
    for prefix in ("", f"$aws/rules/{STAGE}_acks/"):
        publish(f"{prefix}cars/{victim.car_id}/acks", json.dumps(right).encode())
    publish(f"cars/{victim.car_id}/state", json.dumps(state).encode())
    with pytest.raises(ClientError):
        publish(f"$aws/events/presence/connected/{victim.car_id}", b"{}")
    until(lambda: victim.refused().get("not_its_own") == 3)
    assert victim.look(unanswered)["state"] not in ("SUCCEEDED", "ALREADY_DONE")


def test_r06_a_forged_ack_changes_nothing_whoever_forges_it(
    drive: Drive, victim: Drive, unanswered: dict[str, Any]
) -> None:
    nonce = victim.nonce(unanswered)
    right = ack(unanswered, nonce)
    drive.say(f"cars/{victim.car_id}/acks", right)
    drive.say(f"$aws/rules/{STAGE}_acks/cars/{victim.car_id}/acks", right)
    disguise = {"topic": f"cars/{victim.car_id}/acks", "client_id": victim.car_id}
    drive.say(f"cars/{drive.car_id}/acks", {**right, **disguise})
    until(lambda: drive.refused().get("other_car") == 1)
    victim.say(f"cars/{victim.car_id}/acks", ack(unanswered, "f" * 16))
    until(lambda: victim.refused().get("wrong_nonce") == 1)
    assert victim.look(unanswered)["state"] in ("SENT", "UNKNOWN", "UNKNOWN_FINAL")
    assert said_by_the_broker(f"PUBLISH from '{drive.car_id}' to 'cars/{victim.car_id}/acks' refused")


def said_by_the_broker(words: str) -> bool:
    """On AWS: AWS IoT's own log, and its metric of refused publishes, which infra/iot.yaml watches."""
    return words in (place.LOCAL / "emulator.log").read_text(errors="replace")


@pytest.mark.parametrize("topic", ["cars/{}/commands", "cars/{}/acks", "cars/{}/#", "cars/+/commands", "#"])
def test_r07_another_cars_certificate_hears_nothing_of_this_one(
    drive: Drive, victim: Drive, topic: str
) -> None:
    assert not drive.may_hear(topic.format(victim.car_id))


PREVIEWS = {
    "KakaoTalk": "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
    "Telegram": "TelegramBot (like TwitterBot)",
    "WhatsApp": "WhatsApp/2.23.20.0",
    "iMessage": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) "
    "Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
}
"""What fetches a link before its reader does, and how each names itself."""


def test_r08_previews_of_the_link_leave_its_code_usable(drive: Drive, stack: dict[str, Any]) -> None:
    code = drive.new_code()
    for agent in PREVIEWS.values():
        bot = Api(stack["api_url"], headers={"User-Agent": agent})
        for way in ("/k", f"/k?code={code}", f"/k%23{code}"):
            seen = [bot.send(method, way) for method in ("HEAD", "GET")]
            if way == "/k":
                assert [it.status for it in seen] == [200, 200]
            assert not any("Set-Cookie" in it.headers or code in str(it.body) for it in seen)
    proof = {"code": code, "proof": BIRTH_DATE.replace("-", "")[2:]}
    assert drive.garage.public.post("/v1/smart-key/exchange", proof).status == 204
