"""What the gateway's claims say of a caller, however they are written."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.kernel.auth import Caller, caller_of


def caller(**claims: Any) -> Caller:
    found = caller_of({"requestContext": {"authorizer": {"claims": {"sub": "kim", **claims}}}})
    assert found is not None
    return found


@pytest.mark.parametrize("written", [1772420400, "1772420400"])
def test_when_somebody_signed_in_is_known(written: Any) -> None:
    assert caller(auth_time=written).authenticated_at == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, "", "soon", "-1", "1.5", "9" * 30, "１２", {}])
def test_when_nobody_can_tell_it_is_not_known(written: Any) -> None:
    assert caller(auth_time=written).authenticated_at is None


@pytest.mark.parametrize(
    ("verified", "phone"),
    [(True, "+8210"), ("true", "+8210"), (False, None), ("false", None), (None, None), ("yes", None)],
)
def test_only_a_verified_phone_counts(verified: Any, phone: str | None) -> None:
    assert caller(phone_number="+8210", phone_number_verified=verified).phone == phone
    assert caller(phone_number_verified=verified).phone is None


def test_a_caller_shows_no_phone_in_a_traceback() -> None:
    assert "+8210" not in repr(caller(phone_number="+8210", phone_number_verified=True))
