"""Puts bare_lambdas.py beside the stack: our own zip with one more module, an API, a topic rule, a table."""

import asyncio
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.identity import CERTIFICATE, PRIVATE_KEY
from infra.local import place
from infra.local.car import COMMAND_KEY, Broker, Car
from infra.local.client import Api
from infra.local.place import LOCAL
from tests.bench.instructions import ROOT

TABLE, RULE, NAME, CAR = "local-bench", "local_bench", "bench", "bench-car"
ACCOUNT = "000000000000"
ZIP = LOCAL / "package" / "deployment.zip"
PUBLISH, OUR_CALLS, RECORD = "publish", "publish_with_our_calls", "record"
"""The functions; the first two are also the paths of the API."""
ACTIONS = {
    PUBLISH: ["iot:Publish"],
    OUR_CALLS: ["iot:Publish", "dynamodb:GetItem", "dynamodb:PutItem"],
    RECORD: ["dynamodb:PutItem"],
}


@dataclass(frozen=True)
class Bare:
    """`api` posts to the publishing Lambdas; `thing`: the folder of a car that may speak on bench/ only."""

    api: Api
    thing: Path

    def press(self, command_id: str, path: str) -> None:
        self.api.post(f"/{path}", {"command_id": command_id, "car_id": CAR}).expect(202)

    def recorded(self, command_id: str) -> bool:
        key = {"pk": {"S": command_id}, "sk": {"S": "ACK"}}
        return "Item" in place.client("dynamodb").get_item(TableName=TABLE, Key=key, ConsistentRead=True)


def deployed() -> Bare:
    """What is there stays; the car's certificate is new each time."""
    with suppress(place.client("dynamodb").exceptions.ResourceInUseException):
        place.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
    code = _zip()
    arns = {name: _function(name, code) for name in (PUBLISH, OUR_CALLS, RECORD)}
    _rule(arns.pop(RECORD))
    return Bare(Api(_api(arns)), _thing())


def _zip() -> bytes:
    made = io.BytesIO(ZIP.read_bytes())
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as full:
        full.write(ROOT / "tests" / "bench" / "bare_lambdas.py", "bare_lambdas.py")
    return made.getvalue()


def _function(name: str, code: bytes) -> str:
    """Its ARN. Its role may do what it does, to the bench's own things."""
    iam, functions = place.client("iam"), place.client("lambda")
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    things = [
        f"arn:aws:iot:{place.REGION}:{ACCOUNT}:topic/bench/*",
        f"arn:aws:dynamodb:{place.REGION}:{ACCOUNT}:table/{TABLE}",
    ]
    may = {"Effect": "Allow", "Action": ACTIONS[name], "Resource": things}
    role = f"{NAME}-{name}"
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy(trusted))
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=_policy(may))
    with suppress(functions.exceptions.ResourceNotFoundException):
        return str(functions.get_function(FunctionName=role)["Configuration"]["FunctionArn"])
    made = functions.create_function(
        FunctionName=role,
        Runtime="python3.11",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        Handler=f"bare_lambdas.{name}",
        Code={"ZipFile": code},
        Timeout=29,
        MemorySize=512,
    )
    for service in ("apigateway", "iot"):
        principal = f"{service}.amazonaws.com"
        functions.add_permission(
            FunctionName=role, StatementId=service, Action="lambda:InvokeFunction", Principal=principal
        )
    return str(made["FunctionArn"])


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _api(functions: dict[str, str]) -> str:
    """The address of an API where each function has its path."""
    gateway = place.client("apigateway")
    known = [each["id"] for each in gateway.get_rest_apis()["items"] if each["name"] == NAME]
    id_ = known[0] if known else gateway.create_rest_api(name=NAME)["id"]
    if not known:
        root = gateway.get_resources(restApiId=id_)["items"][0]["id"]
        for name, arn in functions.items():
            path = gateway.create_resource(restApiId=id_, parentId=root, pathPart=name)["id"]
            where = {"restApiId": id_, "resourceId": path, "httpMethod": "POST"}
            gateway.put_method(**where, authorizationType="NONE")
            uri = f"arn:aws:apigateway:{place.REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
            gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        gateway.create_deployment(restApiId=id_, stageName="api")
    return f"{place.ENDPOINT}/restapis/{id_}/api/_user_request_"


def _rule(function_arn: str) -> None:
    iot = place.client("iot")
    if RULE not in [each["ruleName"] for each in iot.list_topic_rules()["rules"]]:
        payload = {
            "sql": "SELECT * FROM 'bench/+/acks'",
            "awsIotSqlVersion": "2016-03-23",
            "actions": [{"lambda": {"functionArn": function_arn}}],
        }
        iot.create_topic_rule(ruleName=RULE, topicRulePayload=payload)


def _thing() -> Path:
    """The folder of a car whose certificate allows bench/ and nothing else."""
    iot, folder = place.client("iot"), LOCAL / "bench" / CAR
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arn = f"arn:aws:iot:{place.REGION}:{ACCOUNT}"
    statements = [
        {"Effect": "Allow", "Action": ["iot:Connect"], "Resource": [f"{arn}:client/{CAR}"]},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [f"{arn}:topic/bench/*"]},
        {"Effect": "Allow", "Action": ["iot:Subscribe"], "Resource": [f"{arn}:topicfilter/bench/*"]},
    ]
    with suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_policy(policyName=NAME, policyDocument=_policy(*statements))
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=NAME, target=made["certificateArn"])
    (folder / CERTIFICATE).write_text(made["certificatePem"])
    (folder / PRIVATE_KEY).write_text(made["keyPair"]["PrivateKey"])
    (folder / COMMAND_KEY).write_text("00" * 32)
    return folder


@contextmanager
def answering(bare: Bare, broker: Broker) -> Iterator[None]:
    """The bare car on the air: every command is echoed at once."""
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def answer() -> None:
        async with Car(bare.thing, broker)._client() as client:
            await client.subscribe(f"bench/{CAR}/commands", qos=1)
            ready.set()
            async for message in client.messages:
                await client.publish(f"bench/{CAR}/acks", bytes(message.payload), qos=1)

    async def until_stopped() -> None:
        echo = asyncio.create_task(answer())
        await stop.wait()
        echo.cancel()
        await asyncio.gather(echo, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(until_stopped(),))
    thread.start()
    try:
        if not ready.wait(20):
            raise TimeoutError("the bare car does not come on the air")
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
