"""Every environment variable the Lambdas read, read once."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`site_url` is the base of links in texts, no slash at the end; only non-API Lambdas build links."""

    stage: str
    region: str
    site_url: str
    user_pool_client_id: str
    cognito_endpoint: str
    version: str

    @property
    def bus_name(self) -> str:
        return f"{self.stage}-facts"


def _read() -> Settings:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "ap-northeast-2"
    return Settings(
        stage=os.environ["STAGE"],
        region=region,
        site_url=os.environ.get("SITE_URL", "").rstrip("/"),
        user_pool_client_id=os.environ.get("USER_POOL_CLIENT_ID", ""),
        cognito_endpoint=os.environ.get("COGNITO_ENDPOINT") or f"https://cognito-idp.{region}.amazonaws.com",
        version=os.environ.get("VERSION", "dev"),
    )


SETTINGS = _read()
