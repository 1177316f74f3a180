"""House rules of the infrastructure, checked over the templates as they are deployed.

`python -m infra.rules` renders the app's template into `.local/check`, names every broken rule, and ends with
1 when there is one. Each rule is a function from a template to sentences; cfn-lint knows the rest.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

from infra.device_policy import beyond_a_car, beyond_a_claim
from infra.package import ROOT, NotPackaged, render

Document = dict[str, Any]
Broken = Iterator[str]

MAY_NAME_NO_RESOURCE = {"dynamodb:ListStreams", "iot:AttachThingPrincipal", "iot:DetachThingPrincipal"}
"""Actions for which AWS knows no resource."""

CARRIES_ITS_ACCOUNT = "apigateway.amazonaws.com"
"""Chalice's own permission; an API's ARN names the account."""

CLAIM_POLICY = "${Stage}-claim"


def load(path: Path) -> Document:
    return dict(cfn_yaml.load(str(path)))


def of_type(template: Document, *kinds: str) -> Iterator[tuple[str, Document]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] in kinds:
            yield name, resource


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_are_named(template: Document) -> Broken:
    for name, statement in statements(template):
        words = [str(action) for action in as_list(statement.get("Action", "*"))]
        if any("*" in word for word in words):
            yield f"{name}: the actions {words} are not named one by one"


def resources_are_named(template: Document) -> Broken:
    for name, statement in statements(template):
        unnamed = "*" in as_list(statement.get("Resource", []))
        if unnamed and not set(as_list(statement["Action"])) <= MAY_NAME_NO_RESOURCE:
            yield f"{name}: {statement['Action']} is allowed on every resource"


def statements(template: Document) -> Iterator[tuple[str, Document]]:
    """Of every role; trust and queue policies are bound to what they hang on."""
    for name, role in of_type(template, "AWS::IAM::Role"):
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def functions_have_their_own_role(template: Document) -> Broken:
    owner: dict[str, str] = {}
    for name, function in of_type(template, "AWS::Serverless::Function"):
        role = json.dumps(function["Properties"]["Role"])
        if role in owner:
            yield f"{name} shares the role of {owner[role]}"
        owner[role] = name


def functions_keep_logs_and_failures(template: Document) -> Broken:
    groups = {
        json.dumps(group["Properties"]["LogGroupName"])
        for _, group in of_type(template, "AWS::Logs::LogGroup")
        if group["Properties"].get("RetentionInDays")
    }
    mapped = {
        mapping["Properties"]["FunctionName"]["Ref"]
        for _, mapping in of_type(template, "AWS::Lambda::EventSourceMapping")
    }
    for name, function in of_type(template, "AWS::Serverless::Function"):
        own = str(function["Properties"].get("FunctionName", {}).get("Fn::Sub", name))
        if json.dumps({"Fn::Sub": f"/aws/lambda/{own}"}) not in groups:
            yield f"{name} has no log group with a retention"
        destinations = function["Properties"].get("EventInvokeConfig", {}).get("DestinationConfig", {})
        if name not in {"APIHandler", *mapped} and "OnFailure" not in destinations:
            yield f"{name} is invoked asynchronously, and what fails goes nowhere"


def deliveries_have_a_dead_letter_queue(template: Document) -> Broken:
    for name, rule in of_type(template, "AWS::Events::Rule"):
        if not all("DeadLetterConfig" in target for target in rule["Properties"]["Targets"]):
            yield f"{name}: a target has no dead letter queue"
    redriven = {
        json.dumps({"Fn::GetAtt": [name, "Arn"]})
        for name, queue in of_type(template, "AWS::SQS::Queue")
        if "RedrivePolicy" in queue["Properties"]
    }
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping"):
        properties = mapping["Properties"]
        kept = json.dumps(properties["EventSourceArn"]) in redriven
        if not kept and "OnFailure" not in properties.get("DestinationConfig", {}):
            yield f"{name}: what fails for good goes nowhere"
    for name, rule in of_type(template, "AWS::IoT::TopicRule"):
        if "ErrorAction" not in rule["Properties"]["TopicRulePayload"]:
            yield f"{name} has no error action"


def permissions_name_who_invokes(template: Document) -> Broken:
    for name, permission in of_type(template, "AWS::Lambda::Permission"):
        properties = permission["Properties"]
        needs = (
            {"SourceArn"}
            if properties["Principal"] == CARRIES_ITS_ACCOUNT
            else {"SourceArn", "SourceAccount"}
        )
        for missing in sorted(needs - properties.keys()):
            yield f"{name} has no {missing}"


def tables_survive(template: Document) -> Broken:
    for name, table in of_type(template, "AWS::DynamoDB::Table"):
        properties = table["Properties"]
        wanted = {
            "point-in-time recovery": properties.get("PointInTimeRecoverySpecification", {}).get(
                "PointInTimeRecoveryEnabled"
            ),
            "encryption": properties.get("SSESpecification", {}).get("SSEEnabled"),
            "stream": "StreamSpecification" in properties,
            "expiry by ttl": properties.get("TimeToLiveSpecification", {}).get("AttributeName") == "ttl",
            "DeletionPolicy": table.get("DeletionPolicy") == "RetainExceptOnCreate",
            "UpdateReplacePolicy": table.get("UpdateReplacePolicy") == "Retain",
        }
        for what in (what for what, there in wanted.items() if not there):
            yield f"{name} has no {what}"


def buckets_are_private_and_survive(template: Document) -> Broken:
    encrypted_only = {
        json.dumps(policy["Properties"]["Bucket"])
        for _, policy in of_type(template, "AWS::S3::BucketPolicy")
        if any(map(_refuses_plain_http, policy["Properties"]["PolicyDocument"]["Statement"]))
    }
    for name, bucket in of_type(template, "AWS::S3::Bucket"):
        properties = bucket["Properties"]
        blocked = properties.get("PublicAccessBlockConfiguration", {})
        wanted = {
            "block of public access": len(blocked) == 4 and all(value is True for value in blocked.values()),
            "encryption": "BucketEncryption" in properties,
            "versions": properties.get("VersioningConfiguration", {}).get("Status") == "Enabled",
            "policy that refuses plain HTTP": json.dumps({"Ref": name}) in encrypted_only,
            "DeletionPolicy": bucket.get("DeletionPolicy") == "RetainExceptOnCreate",
            "UpdateReplacePolicy": bucket.get("UpdateReplacePolicy") == "Retain",
        }
        for what in (what for what, there in wanted.items() if not there):
            yield f"{name} has no {what}"


def _refuses_plain_http(statement: Document) -> bool:
    plain = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return (statement["Effect"], statement["Principal"], plain) == ("Deny", "*", "false")


def names_carry_the_stage(template: Document) -> Broken:
    """Two stages live in one account."""
    for name, resource in template["Resources"].items():
        for key, value in resource.get("Properties", {}).items():
            own = key == "Name" or re.fullmatch(
                r"(Table|Bucket|Queue|Function|Rule|Topic|LogGroup|UserPool|Policy|Template|ThingType)Name",
                key,
            )
            if own and isinstance(value, str):
                yield f"{name}: {key} {value} is the same in every stage"


def path_variables_agree(template: Document) -> Broken:
    """API Gateway refuses /a/{id}/x beside /a/{cid}/y; Chalice does not notice."""
    for name, api in of_type(template, "AWS::Serverless::Api"):
        variables: dict[str, set[str]] = defaultdict(set)
        for path in api["Properties"]["DefinitionBody"]["paths"]:
            parts = path.split("/")
            for place, part in enumerate(parts):
                if part.startswith("{"):
                    variables["/".join(parts[:place])].add(part)
        for start, names in variables.items():
            if len(names) > 1:
                yield f"{name}: below {start} the same place is called {', '.join(sorted(names))}"


def devices_are_confined(template: Document) -> Broken:
    """A car's certificate reaches its own topics only; a claim's may ask to become a car."""
    for name, policy in of_type(template, "AWS::IoT::Policy"):
        claim = policy["Properties"]["PolicyName"] == {"Fn::Sub": CLAIM_POLICY}
        beyond = beyond_a_claim if claim else beyond_a_car
        for sentence in beyond(policy["Properties"]["PolicyDocument"]):
            yield f"{name}: {sentence}"


def enrolment_is_guarded(template: Document) -> Broken:
    for name, resource in of_type(template, "AWS::IoT::ProvisioningTemplate"):
        if "TargetArn" not in resource["Properties"].get("PreProvisioningHook", {}):
            yield f"{name} enrols whoever asks"
        if "PolicyDocument" in json.dumps(resource["Properties"]["TemplateBody"]):
            yield f"{name} grants a policy of its own"


RULES = (
    actions_are_named,
    resources_are_named,
    functions_have_their_own_role,
    functions_keep_logs_and_failures,
    deliveries_have_a_dead_letter_queue,
    permissions_name_who_invokes,
    tables_survive,
    buckets_are_private_and_survive,
    names_carry_the_stage,
    path_variables_agree,
    devices_are_confined,
    enrolment_is_guarded,
)


def broken(template: Document) -> list[str]:
    return [f"{sentence} ({rule.__name__})" for rule in RULES for sentence in rule(template)]


def main() -> int:
    try:
        rendered = render(ROOT / ".local" / "check").template
    except NotPackaged as problem:
        print(problem, file=sys.stderr)
        return 1
    found = [
        f"{path.name}: {sentence}"
        for path in (ROOT / "infra" / "tables.yaml", rendered, ROOT / "infra" / "iot.yaml")
        for sentence in broken(load(path))
    ]
    print("\n".join(found) if found else f"templates keep {len(RULES)} house rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
