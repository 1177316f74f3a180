"""One client per AWS service and process: the first costs tens of milliseconds, each further one a few."""

import functools
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.kernel.settings import SETTINGS

CONNECT_SECONDS = 2
READ_SECONDS = 8


@functools.cache
def client(service: str, attempts: int = 3) -> Any:
    """`attempts=1` where a repeated call would act twice."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        parameter_validation=False,
        user_agent="handover",  # else botocore puts it together anew for every call: 0.8 M instructions
        s3={"addressing_style": "virtual"},  # else a signed link names a host that redirects, and fails there
    )
    make: Any = boto3.client
    return make(service, region_name=SETTINGS.region, config=config)
