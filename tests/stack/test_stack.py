"""What the local stack promises whatever runs on it."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.kernel.http import PROBLEM_BASE
from infra.deploy import Deployer, NotDeployed
from infra.local import place
from infra.local import stack as local
from infra.local.client import Api
from infra.local.servers import EMULATOR, FLEET, OFFICES
from tests.stack.conftest import eventually

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
LISTENING = "0A"


def test_everything_listens_on_loopback_only(stack: dict[str, Any]) -> None:
    found = dict(listening(ours()))
    assert {place.PORT, place.MQTT_PORT, place.OFFICES_PORT} <= set(found)
    assert set(found.values()) <= LOOPBACK


def ours() -> set[int]:
    """The stack's processes and everything they started: each leads a session of its own."""
    leaders = {EMULATOR.pid(), OFFICES.pid(), FLEET.pid()}
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return {pid for pid in pids if session_of(pid) in leaders}


def session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def listening(pids: set[int]) -> Iterator[tuple[int, str]]:
    """Port and address, as the kernel writes it, of every socket these processes listen on."""
    sockets = {link for pid in pids for link in open_files(pid)}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and f"socket:[{fields[9]}]" in sockets:
                address, _, port = fields[1].partition(":")
                yield int(port, 16), address


def open_files(pid: int) -> Iterator[str]:
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            yield str(link.readlink())
    except FileNotFoundError:
        return


def test_a_second_up_is_harmless_and_quick(stack: dict[str, Any]) -> None:
    parts, started = (EMULATOR, OFFICES, FLEET), time.monotonic()
    pids = [part.pid() for part in parts]
    assert local.up() == stack
    assert [part.pid() for part in parts] == pids
    assert time.monotonic() - started < 5


def test_the_file_with_the_passwords_is_its_owner_s_alone(stack: dict[str, Any]) -> None:
    assert place.STACK_FILE.stat().st_mode & 0o077 == 0
    for thing in stack["things"].values():
        assert (Path(thing["dir"]) / "private.key").stat().st_mode & 0o077 == 0


def test_there_is_a_user_of_every_role(stack: dict[str, Any], signed_in: Callable[[str], Api]) -> None:
    roles = {"ops", "ops2", "customer", "driver", "packer", "courier", "agent", "sponsor"}
    assert set(stack["users"]) == roles
    signed_in("ops").get("/v1/contracts/con_nobody").expect(404)
    signed_in("customer").post("/v1/ops/contracts/con_nobody/assign", {}).expect(403)


@pytest.fixture
def rights_of(stack: dict[str, Any]) -> Iterator[Callable[[str], boto3.Session]]:
    """Somebody with exactly the rights of one function, as the deployed role has them."""
    iam, made = place.client("iam"), []

    def somebody(function: str) -> boto3.Session:
        role = place.client("lambda").get_function_configuration(FunctionName=f"local-{function}")["Role"]
        role, name = role.rpartition("/")[2], f"like-{function}"
        policy = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        iam.create_user(UserName=name)
        made.append(name)
        iam.put_user_policy(UserName=name, PolicyName="like", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=place.REGION)

    yield somebody
    for name in made:
        iam.delete_user_policy(UserName=name, PolicyName="like")
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=name)


NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "ForbiddenException"}


def refused(session: boto3.Session, service: str, operation: str, **request: Any) -> bool:
    """Whether IAM, and not the service, says no."""
    client: Any = session.client(service, endpoint_url=place.ENDPOINT)  # type: ignore[call-overload]
    try:
        getattr(client, operation)(**request)
    except ClientError as problem:
        return problem.response["Error"]["Code"] in NOT_ALLOWED
    return False


NOBODY = {"pk": {"S": "nobody"}, "sk": {"S": "nobody"}}


def test_a_function_reaches_its_own_table_and_no_other(rights_of: Callable[[str], boto3.Session]) -> None:
    sweep = rights_of("keys_sweep")
    assert not refused(sweep, "dynamodb", "get_item", TableName="local-keys", Key=NOBODY)
    assert refused(sweep, "dynamodb", "get_item", TableName="local-coupons", Key=NOBODY)
    assert refused(sweep, "dynamodb", "scan", TableName="local-keys")


def test_only_the_sender_of_notices_sends_texts(rights_of: Callable[[str], boto3.Session]) -> None:
    text = {"PhoneNumber": "+821000000000", "Message": "test"}
    assert not refused(rights_of("notices_send"), "sns", "publish", **text)
    assert refused(rights_of("api"), "sns", "publish", **text)
    assert refused(rights_of("smartkeys_issue"), "sns", "publish", **text)


def test_only_the_api_speaks_to_cars(rights_of: Callable[[str], boto3.Session]) -> None:
    command = {"topic": "cars/car-9999/commands", "qos": 1, "payload": b"{}"}
    assert not refused(rights_of("api"), "iot-data", "publish", **command)
    assert refused(rights_of("doors_ack"), "iot-data", "publish", **command)


def test_an_unknown_key_id_gets_nowhere(stack: dict[str, Any]) -> None:
    stranger = boto3.Session("AKIAAAAAAAAAAAAAAAAA", "guess", region_name=place.REGION)
    with pytest.raises(ClientError, match=r"(?i)invalid|denied|security token"):
        stranger.client("dynamodb", endpoint_url=place.ENDPOINT).list_tables()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/v1/nothing", {}, 404, "NOT_FOUND"),
        ("PUT", "/v1/plans", {}, 405, "WRONG_METHOD"),
        ("GET", "/v1/me/coupons", {}, 401, "UNAUTHENTICATED"),
        ("GET", "/v1/me/coupons", {"Authorization": "Bearer forged.forged.forged"}, 401, "UNAUTHENTICATED"),
    ],
)
def test_the_gateway_refuses_in_our_words(
    stack: dict[str, Any], method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    reply = Api(stack["api_url"], headers=headers).send(method, path)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (reply.status, reply.body["status"], reply.body["code"]) == (status, status, code)
    assert {"type", "title", "detail", "trace_id"} <= reply.body.keys()
    assert reply.body["type"].startswith(PROBLEM_BASE)
    assert reply.body["detail"]


def test_a_fact_nobody_can_read_waits_in_the_queue_of_failures(stack: dict[str, Any]) -> None:
    sqs = place.client("sqs")
    url = sqs.get_queue_url(QueueName="local-smartkeys-failed")["QueueUrl"]
    unreadable = {
        "Source": "handover.keys",
        "DetailType": "KeyShipmentMismatched",
        "Detail": '{"broken": "by-test"}',
    }
    place.client("events").put_events(Entries=[{**unreadable, "EventBusName": "local-facts"}])

    def waiting() -> list[Any]:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        return [message for message in got.get("Messages", []) if "by-test" in message["Body"]]

    messages = eventually(waiting, 60)
    assert messages
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_a_stack_that_cannot_come_up_says_why(stack: dict[str, Any]) -> None:
    nowhere = Deployer(place.session(), "nowhere", place.ENDPOINT)
    with pytest.raises(NotDeployed, match=r"handover-nowhere-iot: .*Export 'nowhere-"):
        nowhere.iot()
