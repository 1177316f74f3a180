"""The house rules keep, and each of them would notice."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from infra import rules
from infra.package import METHODS, ROOT, SERVICES, needed, render


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(tmp_path_factory.mktemp("rendered") / "out").template


@pytest.fixture(scope="session")
def app(rendered: Path) -> rules.Document:
    return rules.load(rendered)


@pytest.fixture(scope="session")
def tables() -> rules.Document:
    return rules.load(ROOT / "infra" / "tables.yaml")


@pytest.fixture(scope="session")
def iot() -> rules.Document:
    return rules.load(ROOT / "infra" / "iot.yaml")


def test_the_app_template_keeps_the_house_rules(app: rules.Document) -> None:
    assert rules.broken(app) == []


def test_the_tables_template_keeps_the_house_rules(tables: rules.Document) -> None:
    assert rules.broken(tables) == []


def test_the_iot_template_keeps_the_house_rules(iot: rules.Document) -> None:
    assert rules.broken(iot) == []


def test_every_path_takes_every_method_and_head_asks_who_get_asks(app: rules.Document) -> None:
    paths = app["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    for path, methods in paths.items():
        assert set(methods) >= METHODS, path
        assert "get" not in methods or methods["head"] == methods["get"], path
    assert paths["/v1/contracts"]["head"]["security"] == [{"pool": []}]


def test_the_template_has_no_aliases_which_cloudformation_refuses(rendered: Path) -> None:
    assert re.findall(r"[:-] [&*]id\d+$", rendered.read_text(), re.MULTILINE) == []


def spoilt(template: rules.Document, resource: str, **properties: Any) -> rules.Document:
    """The same template with some properties of one resource replaced, or taken away by None."""
    copy = deepcopy(template)
    for name, value in properties.items():
        copy["Resources"][resource]["Properties"][name] = value
        if value is None:
            del copy["Resources"][resource]["Properties"][name]
    return copy


def test_a_table_without_recovery_is_noticed(tables: rules.Document) -> None:
    bare = spoilt(tables, "KeysTable", PointInTimeRecoverySpecification=None, StreamSpecification=None)
    assert {sentence.split(" (")[0] for sentence in rules.broken(bare)} == {
        "KeysTable has no point-in-time recovery",
        "KeysTable has no stream",
    }


def test_a_bucket_that_anybody_may_read_is_noticed(tables: rules.Document) -> None:
    public = {"BlockPublicAcls": True, "BlockPublicPolicy": False}
    open_ = spoilt(tables, "DocumentsBucket", PublicAccessBlockConfiguration=public, BucketEncryption=None)
    del open_["Resources"]["DocumentsBucketPolicy"], open_["Resources"]["DocumentsBucket"]["DeletionPolicy"]
    assert {sentence.split(" (")[0] for sentence in rules.broken(open_)} == {
        "DocumentsBucket has no block of public access",
        "DocumentsBucket has no encryption",
        "DocumentsBucket has no policy that refuses plain HTTP",
        "DocumentsBucket has no DeletionPolicy",
    }


def test_a_rule_without_a_dead_letter_queue_is_noticed(app: rules.Document) -> None:
    bare = spoilt(app, "KeysPlanRule", Targets=[{"Id": "function", "Arn": "arn"}])
    assert len(list(rules.deliveries_have_a_dead_letter_queue(bare))) == 1


def test_a_queue_that_drops_what_fails_is_noticed(app: rules.Document) -> None:
    bare = spoilt(app, "KeysDue", RedrivePolicy=None)
    assert len(list(rules.deliveries_have_a_dead_letter_queue(bare))) == 1


def test_a_permission_for_every_account_is_noticed(app: rules.Document, iot: rules.Document) -> None:
    assert (
        len(list(rules.permissions_name_who_invokes(spoilt(app, "KeysPlanMayBeInvoked", SourceAccount=None))))
        == 1
    )
    assert len(list(rules.permissions_name_who_invokes(spoilt(iot, "AcksMayInvoke", SourceArn=None)))) == 1


def test_a_name_without_the_stage_is_noticed(app: rules.Document) -> None:
    assert len(list(rules.names_carry_the_stage(spoilt(app, "FactsBus", Name="facts")))) == 1


@pytest.mark.parametrize(
    "allowed", [{"Action": "dynamodb:*"}, {"NotAction": "s3:*"}, {"Action": ["sqs:*", "sns:Publish"]}]
)
def test_a_wide_action_is_noticed(allowed: rules.Document) -> None:
    assert len(list(rules.actions_are_named(role({**allowed, "Resource": "arn"})))) == 1


def test_an_unnamed_resource_is_noticed_unless_aws_knows_none() -> None:
    assert len(list(rules.resources_are_named(role({"Action": "dynamodb:PutItem", "Resource": "*"})))) == 1
    assert list(rules.resources_are_named(role({"Action": "dynamodb:ListStreams", "Resource": "*"}))) == []


def role(statement: rules.Document) -> rules.Document:
    policies = [{"PolicyName": "x", "PolicyDocument": {"Statement": [{"Effect": "Allow", **statement}]}}]
    return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}}}


def test_two_functions_never_share_a_role(app: rules.Document) -> None:
    shared = spoilt(app, "KeysPlan", Role=app["Resources"]["KeysSweep"]["Properties"]["Role"])
    assert len(list(rules.functions_have_their_own_role(shared))) == 1


def test_siblings_that_name_a_variable_differently_are_noticed() -> None:
    paths: rules.Document = {"/v1/contracts/{contract_id}": {}, "/v1/contracts/{id}/timeline": {}}
    api = {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionBody": {"paths": paths}}}
    assert len(list(rules.path_variables_agree({"Resources": {"RestAPI": api}}))) == 1


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_the_zip_knows_the_services_we_call(service: str) -> None:
    assert needed(f"botocore/data/{service}/2015-05-28/service-2.json.gz")


def test_the_zip_knows_no_other_service() -> None:
    assert not needed("botocore/data/ec2/2016-11-15/service-2.json.gz")
    assert needed("botocore/data/endpoints.json")
    assert not needed("chalicelib/keys/__pycache__/model.cpython-311.pyc")
