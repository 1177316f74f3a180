"""Who is calling, as the gateway's Cognito authorizer proved it.

Smart-key holders have no authorizer: their handler hands the session cookie to a service.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chalice.app import CognitoUserPoolAuthorizer
from msgspec import Struct

POOL_ARN: Any = {"Fn::GetAtt": ["Pool", "Arn"]}
COGNITO = CognitoUserPoolAuthorizer("pool", provider_arns=[POOL_ARN])


SMART_KEY_COOKIE = "__Host-smartkey"
"""Of the session behind a smart key's link: set by smartkeys, read wherever its holder asks for something."""


class Group(StrEnum):
    """Cognito groups; whoever is in none is a customer."""

    OPS = "ops"
    PACKER = "packer"
    COURIER = "courier"
    AGENT = "agent"
    SPONSOR = "sponsor"


class Caller(Struct, frozen=True):
    """`id` is the pool's `sub`. `authenticated_at`: when they last gave a password, which refreshing a token
    does not move. `phone`: in E.164, and only one that the pool has verified."""

    id: str
    groups: frozenset[Group] = frozenset()
    authenticated_at: datetime | None = None
    phone: str | None = None

    def __repr__(self) -> str:
        return f"Caller({self.id!r})"


def caller_of(event: dict[str, Any]) -> Caller | None:
    """None when the gateway proved nobody: the test client lets a missing header through.

    Groups come as a list, as "[ops]", or with commas or spaces, depending on who stands in for the gateway.
    """
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    if not claims.get("sub") or claims.get("token_use", "id") != "id":
        return None
    names = claims.get("cognito:groups") or ""
    words = names if isinstance(names, list) else re.findall(r"[\w-]+", str(names))
    known = {group.value for group in Group}
    return Caller(
        str(claims["sub"]),
        frozenset(Group(word) for word in words if word in known),
        _authenticated_at(claims),
        _phone(claims),
    )


def _authenticated_at(claims: dict[str, Any]) -> datetime | None:
    """From `auth_time`, seconds as a number or as text (openid.net/specs/openid-connect-core-1_0, 2)."""
    text = str(claims.get("auth_time") or "")
    return datetime.fromtimestamp(int(text), UTC) if re.fullmatch(r"[0-9]{1,11}", text, re.ASCII) else None


def _phone(claims: dict[str, Any]) -> str | None:
    verified = str(claims.get("phone_number_verified") or "").lower() == "true"
    return str(claims["phone_number"]) if verified and claims.get("phone_number") else None
