"""Is an AWS account ready for a stage? Looks, changes nothing, and says what to do about what is missing.

The secrets are made by the app stack; what each carrier signs with must then be agreed with that carrier.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

SITE_URL_CHARS = 24
CARRIERS = ("easypost", "aftership", "delivery-tracker")
PAYMENT_KEYS = ("live_", "test_")
"""So a secret key of the payment gateway begins."""


@dataclass(frozen=True)
class Finding:
    ready: bool
    what: str

    def __str__(self) -> str:
        return f"{'ok ' if self.ready else 'TO DO '} {self.what}"


def site_url(url: str) -> Finding:
    """The code takes 22 characters, and a text of 70 must say more than a link."""
    if not url:
        return Finding(False, "SITE_URL is not given: the short https address customers see in texts")
    fits = url.startswith("https://") and len(url) <= SITE_URL_CHARS and not url.endswith("/")
    wanted = f"https, at most {SITE_URL_CHARS} characters, no slash at the end"
    return Finding(fits, f"SITE_URL {url} has {len(url)} characters ({wanted})")


def alarm_email(address: str) -> Finding:
    return Finding("@" in address, f"ALARM_EMAIL {address or 'is not given: nobody hears an alarm'}")


def certificate(arn: str) -> Finding:
    return Finding(
        bool(arn), f"SITE_CERTIFICATE_ARN {arn or 'is not given: links would carry a long address'}"
    )


def outside(name: str, url: str, what: str) -> Finding:
    """`name`: the variable that says where an outside service is."""
    ready = url.startswith("https://") and not url.endswith("/")
    return Finding(ready, f"{name} {url or 'is not given'}: {what} (https, no slash at the end)")


def payments_key(secretsmanager: Any, stage: str) -> Finding:
    """The deploy generates one so that the stack comes up; it opens nothing at the gateway."""
    name = f"{stage}/handover/payments-key"
    try:
        value = str(secretsmanager.get_secret_value(SecretId=name)["SecretString"])
    except ClientError:
        return Finding(False, f"secret {name} comes with the first deploy; then put the gateway's key in it")
    real = value.startswith(PAYMENT_KEYS)
    return Finding(real, f"secret {name} {'is' if real else 'is not yet'} the payment gateway's secret key")


def texts(sns: Any) -> Iterator[Finding]:
    """New accounts may spend one dollar a month, and only to numbers they verified."""
    try:
        limit = float(sns.get_sms_attributes()["attributes"].get("MonthlySpendLimit", 1))
        sandbox = sns.get_sms_sandbox_account_status()["IsInSandbox"]
    except ClientError as problem:
        yield Finding(False, f"SMS limits cannot be read: {problem}")
        return
    yield Finding(limit > 1, f"SMS spend limit is ${limit:g} a month; ask for more in Service Quotas")
    yield Finding(
        not sandbox, "SMS sandbox is " + ("on: only verified numbers get texts" if sandbox else "off")
    )


def iot_endpoint(iot: Any) -> Finding:
    address = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    return Finding(True, f"cars connect to {address}, port 8883")


def carrier_secrets(secretsmanager: Any, stage: str) -> Iterator[Finding]:
    for carrier in CARRIERS:
        name = f"{stage}/handover/carrier-{carrier}"
        try:
            secretsmanager.describe_secret(SecretId=name)
        except ClientError:
            yield Finding(False, f"secret {name} comes with the first deploy; then agree it with the carrier")
        else:
            yield Finding(True, f"secret {name} is there; the carrier must sign with its value")


def findings(stage: str, session: boto3.Session) -> Iterator[Finding]:
    account = session.client("sts").get_caller_identity()["Account"]
    yield Finding(True, f"account {account}, region {session.region_name}")
    yield site_url(os.environ.get("SITE_URL", ""))
    yield certificate(os.environ.get("SITE_CERTIFICATE_ARN", ""))
    yield alarm_email(os.environ.get("ALARM_EMAIL", ""))
    yield outside("PAYMENTS_URL", os.environ.get("PAYMENTS_URL", ""), "the payment gateway")
    yield outside("OFFICES_URL", os.environ.get("OFFICES_URL", ""), "the licence and recall offices")
    yield outside("PARTNERS_URL", os.environ.get("PARTNERS_URL", ""), "the partners who take points")
    yield payments_key(session.client("secretsmanager"), stage)
    yield iot_endpoint(session.client("iot"))
    yield from texts(session.client("sns"))
    yield from carrier_secrets(session.client("secretsmanager"), stage)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("stage")
    try:
        found = list(findings(options.parse_args().stage, boto3.Session()))
    except (BotoCoreError, ClientError) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    print("\n".join(map(str, found)))
    return 0 if all(finding.ready for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main())
