"""Every environment variable the Lambdas read, read once."""

import os

from msgspec import Struct


class Settings(Struct, frozen=True):
    """`site_url` is the base of links in texts, no slash at the end; only non-API Lambdas build links.

    `command_transport`: "publish" through the broker, or "direct" to a car's connection.
    `payments_url` is the payment gateway, `offices_url` the offices that know licences and recalls,
    `partners_url` where partners take points.
    `sms_parts_per_day` is what all texts may cost, `sms_parts_for_links` how much of it only links may use.
    `opt_out_number`: where advertising is refused for free; empty: none goes out.
    """

    stage: str
    region: str
    site_url: str
    user_pool_client_id: str
    cognito_endpoint: str
    version: str
    payments_url: str
    offices_url: str
    partners_url: str
    documents_bucket: str
    command_transport: str
    sms_parts_per_day: int
    sms_parts_for_links: int
    opt_out_number: str

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
        payments_url=os.environ.get("PAYMENTS_URL", "").rstrip("/"),
        offices_url=os.environ.get("OFFICES_URL", "").rstrip("/"),
        partners_url=os.environ.get("PARTNERS_URL", "").rstrip("/"),
        documents_bucket=os.environ.get("DOCUMENTS_BUCKET", ""),
        command_transport=os.environ.get("COMMAND_TRANSPORT", "publish"),
        sms_parts_per_day=int(os.environ.get("SMS_PARTS_PER_DAY") or 5000),
        sms_parts_for_links=int(os.environ.get("SMS_PARTS_FOR_LINKS") or 2000),
        opt_out_number=os.environ.get("OPT_OUT_NUMBER", ""),
    )


SETTINGS = _read()
