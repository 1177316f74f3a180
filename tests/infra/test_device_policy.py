"""A certificate reaches its own car and nothing else: ours do, and a policy that grants more is named."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.devices.model import Admission
from chalicelib.devices.schemas import hook_answer
from infra import rules
from infra.claim import new_certificate
from infra.device_policy import THING, Document, beyond_a_car, beyond_a_claim
from infra.package import ROOT

ACCOUNT = "arn:aws:iot:ap-northeast-2:123456789012:"
WHOLE_ACCOUNT = json.loads((ROOT / "tests/infra/policies/whole-account.json").read_text())
"""As aws-solutions/connected-mobility-solution-on-aws v2.1.5 grants it, described: one stolen certificate
hears every car and speaks for every car."""


@pytest.fixture(scope="module")
def iot() -> rules.Document:
    return rules.load(ROOT / "infra" / "iot.yaml")


def policy(template: rules.Document, name: str) -> Document:
    return dict(template["Resources"][name]["Properties"]["PolicyDocument"])


def test_r07_a_cars_certificate_reaches_its_own_topics_only(iot: rules.Document) -> None:
    assert list(beyond_a_car(policy(iot, "CarPolicy"))) == []


def test_r07_a_claim_certificate_can_ask_to_be_enrolled_and_nothing_else(iot: rules.Document) -> None:
    assert list(beyond_a_claim(policy(iot, "ClaimPolicy"))) == []
    assert len(list(beyond_a_car(policy(iot, "ClaimPolicy")))) > 4


def test_r07_the_policy_that_opened_the_whole_account_fails() -> None:
    assert list(beyond_a_car(WHOLE_ACCOUNT)) == [
        "iot:Connect without a thing attached to the certificate",
        f"iot:Subscribe on {ACCOUNT}* reaches beyond the thing itself",
        f"iot:Receive on {ACCOUNT}* reaches beyond the thing itself",
        f"iot:Publish on {ACCOUNT}topic/vehicleactive/* reaches beyond the thing itself",
    ]


def connect(resource: str, **more: Any) -> Document:
    condition = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    return {"Effect": "Allow", "Action": "iot:Connect", "Resource": resource, "Condition": condition, **more}


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:*", "Resource": f"{ACCOUNT}topic/cars/{THING}/acks"},
        {"Effect": "Allow", "NotAction": "iot:Connect", "Resource": f"{ACCOUNT}topic/cars/{THING}/acks"},
        {"Effect": "Allow", "Action": "iot:Publish", "NotResource": f"{ACCOUNT}topic/secret"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ACCOUNT}topic/cars/{THING}/commands"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ACCOUNT}topic/cars/*/acks"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{ACCOUNT}topic/$aws/rules/*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{ACCOUNT}topicfilter/cars/{THING}/#"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{ACCOUNT}topicfilter/cars/+/commands"},
        {"Effect": "Allow", "Action": "iot:Receive", "Resource": f"{ACCOUNT}topic/cars/car-0001/commands"},
        {"Effect": "Allow", "Action": "iot:RetainPublish", "Resource": f"{ACCOUNT}topic/cars/{THING}/acks"},
        {"Effect": "Allow", "Action": "iot:UpdateThingShadow", "Resource": f"{ACCOUNT}thing/{THING}"},
        {"Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": f"{ACCOUNT}rolealias/x"},
        connect(f"{ACCOUNT}client/*"),
        connect(f"{ACCOUNT}client/{THING}-2"),
        connect(f"arn:aws:iot:*:*:client/{THING}"),
        connect(f"{ACCOUNT}client/{THING}", Condition={}),
        connect(f"{ACCOUNT}client/{THING}", Condition={"Bool": {"iot:Connection.Thing.IsAttached": "false"}}),
    ],
    ids=lambda it: f"{it.get('Action', 'NotAction')} {str(it.get('Resource', 'NotResource'))[-30:]}",
)
def test_r07_whatever_reaches_further_is_named(statement: Document) -> None:
    assert list(beyond_a_car({"Statement": statement}))
    assert list(beyond_a_car({"Statement": [statement]}))


def test_what_is_denied_reaches_nowhere() -> None:
    assert list(beyond_a_car({"Statement": [{"Effect": "Deny", "Action": "iot:*", "Resource": "*"}]})) == []


def test_every_policy_of_the_template_is_judged(iot: rules.Document) -> None:
    wide = deepcopy(iot)
    wide["Resources"]["CarPolicy"]["Properties"]["PolicyDocument"] = WHOLE_ACCOUNT
    assert len(list(rules.devices_are_confined(wide))) == 4
    wide["Resources"]["Another"] = {
        "Type": "AWS::IoT::Policy",
        "Properties": {"PolicyName": "x", "PolicyDocument": WHOLE_ACCOUNT},
    }
    assert len(list(rules.devices_are_confined(wide))) == 8


def spoilt(template: rules.Document, change: Callable[[Document], object]) -> rules.Document:
    copy = deepcopy(template)
    change(copy["Resources"]["CarTemplate"]["Properties"])
    return copy


def with_body(properties: Document, change: Callable[[Document], object]) -> None:
    body = json.loads(properties["TemplateBody"]["Fn::Sub"])
    change(body)
    properties["TemplateBody"] = {"Fn::Sub": json.dumps(body)}


def test_r07_nobody_is_enrolled_without_being_asked_for(iot: rules.Document) -> None:
    assert list(rules.enrolment_is_guarded(iot)) == []
    without_hook = spoilt(iot, lambda it: it.pop("PreProvisioningHook"))
    assert list(rules.enrolment_is_guarded(without_hook)) == ["CarTemplate enrols whoever asks"]


def test_r07_a_template_cannot_grant_rights_that_nobody_judged(iot: rules.Document) -> None:
    own = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": WHOLE_ACCOUNT}}
    granted = spoilt(iot, lambda it: with_body(it, lambda body: body["Resources"].update(Policy=own)))
    assert list(rules.enrolment_is_guarded(granted)) == ["CarTemplate grants a policy of its own"]


def test_r07_who_a_unit_becomes_is_never_its_own_word(iot: rules.Document) -> None:
    """What the template uses comes from the hook, but for the serial number, which the hook has checked."""
    body = iot["Resources"]["CarTemplate"]["Properties"]["TemplateBody"]["Fn::Sub"]
    used = set(re.findall(r'"Ref": "([^"]+)"', body))
    overridden = set(hook_answer(Admission("car-0001", "key"))["parameterOverrides"])
    assert used - overridden == {"Serial", "AWS::IoT::Certificate::Id"}


def test_a_claim_for_a_batch_is_kept_by_its_owner_only(dynamodb: Any, tmp_path: Path) -> None:
    iot: Any = boto3.client("iot")
    iot.create_policy(policyName="prod-claim", policyDocument="{}")
    arn = new_certificate(iot, "prod-claim", tmp_path / "batch-7")
    assert [it["policyName"] for it in iot.list_attached_policies(target=arn)["policies"]] == ["prod-claim"]
    kept = {path.name: oct(path.stat().st_mode)[-3:] for path in (tmp_path / "batch-7").iterdir()}
    assert kept == {"certificate.pem": "600", "private.key": "600"}
