"""Deploys the three stacks in their order: tables, app, IoT. The same steps serve AWS and the local stack."""

import argparse
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infra.bootstrap import site_url
from infra.package import ROOT, NotPackaged, Package, package

NAME = "handover"
API_STAGE = "api"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
POLL = {"Delay": 1, "MaxAttempts": 1800}
PARAMETERS = {
    "SITE_URL": "SiteUrl",
    "SITE_CERTIFICATE_ARN": "SiteCertificateArn",
    "ALARM_EMAIL": "AlarmEmail",
    "PAYMENTS_URL": "PaymentsUrl",
    "OFFICES_URL": "OfficesUrl",
    "PARTNERS_URL": "PartnersUrl",
    "SMS_PARTS_PER_DAY": "SmsPartsPerDay",
    "SMS_PARTS_FOR_LINKS": "SmsPartsForLinks",
    "OPT_OUT_NUMBER": "OptOutNumber",
    "COMMAND_TRANSPORT": "CommandTransport",
}
NOTHING_TO_DO = ("No updates are to be performed", "didn't contain changes")


class NotDeployed(Exception):
    """A stack did not come up; the sentence names the resource and what CloudFormation said of it."""


def stack_name(stage: str, part: str) -> str:
    return f"{NAME}-{stage}-{part}"


class Deployer:
    """One stage in one account and region. `session` makes the clients, so it decides where the stacks go."""

    def __init__(self, session: boto3.Session, stage: str, endpoint_url: str | None = None) -> None:
        self._session = session
        self._endpoint_url = endpoint_url
        self._cloudformation = self._client("cloudformation")
        self.stage = stage

    def tables(self) -> None:
        self._deploy("tables", (ROOT / "infra" / "tables.yaml").read_text(), {})

    def app(self, made: Package, parameters: Mapping[str, str]) -> dict[str, str]:
        """The outputs of the app stack."""
        bucket, key = self._upload(made)
        template = yaml.safe_load(made.template.read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
        parameters = {"Version": made.version[:12], **parameters}
        outputs = self._deploy("app", yaml.safe_dump(template), parameters, bucket)
        # Gateway responses come into force with a deployment made after them, which CloudFormation's is not.
        self._client("apigateway").create_deployment(restApiId=outputs["RestAPIId"], stageName=API_STAGE)
        return outputs

    def iot(self) -> None:
        self._deploy("iot", (ROOT / "infra" / "iot.yaml").read_text(), {})

    def _client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint_url)  # type: ignore[call-overload]

    def _upload(self, made: Package) -> tuple[str, str]:
        account = self._client("sts").get_caller_identity()["Account"]
        s3 = self._client("s3")
        bucket = f"{NAME}-{self.stage}-{account}-{s3.meta.region_name}"
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            place = {"LocationConstraint": s3.meta.region_name}
            s3.create_bucket(
                Bucket=bucket,
                **({} if s3.meta.region_name == "us-east-1" else {"CreateBucketConfiguration": place}),
            )
        key = f"{made.version}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=made.code.read_bytes())
        return bucket, key

    def _deploy(
        self, part: str, template: str, parameters: Mapping[str, str], bucket: str = ""
    ) -> dict[str, str]:
        name = stack_name(self.stage, part)
        try:
            before = self._standing(name)
            request = {
                "StackName": name,
                "Capabilities": CAPABILITIES,
                "Parameters": self._parameters({"Stage": self.stage, **parameters}, before),
                **self._body(name, template, bucket),
            }
            self._create_or_update(name, request, exists=before is not None)
        except WaiterError as problem:
            raise NotDeployed(f"stack {name}: {self._first_failure(name)}") from problem
        except ClientError as problem:
            raise NotDeployed(f"stack {name}: {problem.response['Error']['Message']}") from problem
        outputs = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def _body(self, name: str, template: str, bucket: str) -> dict[str, str]:
        """CloudFormation takes 51,200 bytes in the call itself; the app's template is larger."""
        if not bucket:
            return {"TemplateBody": template}
        s3, key = self._client("s3"), f"{name}.yaml"
        s3.put_object(Bucket=bucket, Key=key, Body=template.encode())
        return {"TemplateURL": s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})}

    def _parameters(self, given: Mapping[str, str], before: Any) -> list[dict[str, Any]]:
        """What is not given stays as it was; CloudFormation would fall back to the default."""
        kept = (
            {old["ParameterKey"] for old in before.get("Parameters", [])} - given.keys() if before else set()
        )
        return [
            *({"ParameterKey": name, "ParameterValue": text} for name, text in given.items()),
            *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
        ]

    def _create_or_update(self, name: str, request: dict[str, Any], exists: bool) -> None:
        change = f"change-{uuid.uuid4().hex}"
        kind = "UPDATE" if exists else "CREATE"
        self._cloudformation.create_change_set(ChangeSetName=change, ChangeSetType=kind, **request)
        try:
            waiter = self._cloudformation.get_waiter("change_set_create_complete")
            waiter.wait(ChangeSetName=change, StackName=name, WaiterConfig=POLL)
        except WaiterError as problem:
            reason = problem.last_response.get("StatusReason", "")
            self._cloudformation.delete_change_set(ChangeSetName=change, StackName=name)
            if any(words in reason for words in NOTHING_TO_DO):
                return
            raise NotDeployed(f"stack {name}: {reason}") from problem
        self._cloudformation.execute_change_set(ChangeSetName=change, StackName=name)
        done = self._cloudformation.get_waiter("stack_update_complete" if exists else "stack_create_complete")
        done.wait(StackName=name, WaiterConfig=POLL)

    def _standing(self, name: str) -> Any:
        """The stack as it stands, or None. One whose creation failed can only be deleted."""
        try:
            stack = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError:
            return None
        if stack["StackStatus"] in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
            self._cloudformation.delete_stack(StackName=name)
            self._cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=POLL)
            return None
        return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack

    def _first_failure(self, name: str) -> str:
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]  # newest first
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        if not failed:
            return "it did not come up, and CloudFormation does not say why"
        return (
            f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason given')}"
        )


def main() -> int:
    """To AWS. What the environment does not say of PARAMETERS stays as it was."""
    options = argparse.ArgumentParser(description="deploy a stage to AWS")
    options.add_argument("stage")
    stage = options.parse_args().stage
    given = {name: os.environ[variable] for variable, name in PARAMETERS.items() if os.environ.get(variable)}
    if "SiteUrl" in given and not (site := site_url(given["SiteUrl"])).ready:
        print(f"handover: {site.what}", file=sys.stderr)
        return 1
    try:
        deployer = Deployer(boto3.Session(), stage)
        made = package(ROOT / ".local" / "package")
        deployer.tables()
        outputs = deployer.app(made, given)
        deployer.iot()
    except (NotPackaged, NotDeployed, BotoCoreError, ClientError) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    print(f"{stage} is deployed: {outputs['EndpointURL']}")
    if "SiteTarget" in outputs:
        print(f"point the DNS record of SITE_URL at {outputs['SiteTarget']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
