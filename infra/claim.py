"""A claim certificate for a batch of units: `make claim STAGE=... FOLDER=...`

A manufacturer puts it into every unit of the batch. It can ask to be enrolled and nothing else (ClaimPolicy
in infra/iot.yaml), so it is no car's secret; one that leaked is made inactive, and its batch gets another.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.identity import CERTIFICATE, PRIVATE_KEY, keep_secret


def new_certificate(iot: Any, policy: str, folder: Path) -> str:
    """Its ARN. The key is readable by its owner only, and is kept nowhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=policy, target=made["certificateArn"])
    keep_secret(folder / PRIVATE_KEY, made["keyPair"]["PrivateKey"])
    keep_secret(folder / CERTIFICATE, made["certificatePem"])
    return str(made["certificateArn"])


def main() -> int:
    options = argparse.ArgumentParser(description="a claim certificate for a batch of telematics units")
    options.add_argument("stage")
    options.add_argument("folder", type=Path)
    given = options.parse_args()
    if (given.folder / PRIVATE_KEY).exists():
        print(f"handover: {given.folder} holds a certificate already", file=sys.stderr)
        return 1
    try:
        arn = new_certificate(boto3.Session().client("iot"), f"{given.stage}-claim", given.folder)
    except (BotoCoreError, ClientError, OSError) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    print(f"{given.folder} holds the claim certificate {arn.rsplit('/', 1)[-1]} of {given.stage}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
