"""One contract for every refusal: a code, whether to press again and when, and words in both languages."""

from collections.abc import Callable

import pytest

from chalicelib.doors.model import (
    ADVICE,
    ActionNotGranted,
    CarBusy,
    RateLimited,
    Reason,
    ReasonNeeded,
    StepUpRequired,
    Stopped,
    TooFar,
)
from chalicelib.kernel.errors import HandoverError

REFUSALS: list[tuple[Callable[[], HandoverError], Reason, int | None]] = [
    (ActionNotGranted, Reason.ACTION_NOT_GRANTED, None),
    (StepUpRequired, Reason.STEP_UP_REQUIRED, 0),
    (TooFar, Reason.TOO_FAR, 0),
    (Stopped, Reason.STOPPED, None),
    (ReasonNeeded, Reason.REASON_NEEDED, 0),
    (lambda: CarBusy(7), Reason.BUSY, 7),
    (lambda: RateLimited(42), Reason.RATE_LIMITED, 42),
]
ASKED_FOR = (
    "VEHICLE_OFFLINE VEHICLE_ASLEEP IN_MOTION DOOR_OPEN KEY_INSIDE ALREADY_DONE BUSY EXPIRED REPLAYED "
    "BAD_SIGNATURE NOT_SUPPORTED GRANT_EXPIRED GRANT_REVOKED NOT_YET_VALID TOO_FAR STEP_UP_REQUIRED "
    "RATE_LIMITED DEVICE_TIMEOUT"
)


def test_r12_every_code_that_was_asked_for_exists_and_has_its_advice() -> None:
    assert set(ASKED_FOR.split()) <= set(Reason)
    assert set(ADVICE) == set(Reason)


@pytest.mark.parametrize(("refusal", "reason", "retry_after"), REFUSALS)
def test_r12_every_refusal_carries_the_whole_contract(
    refusal: Callable[[], HandoverError], reason: Reason, retry_after: int | None
) -> None:
    error, advice = refusal(), ADVICE[reason]
    assert error.code == reason
    assert error.extra == {
        "retryable": retry_after is not None,
        "may_have_executed": False,
        "retry_after": retry_after,
        "messages": {"ko": advice.ko, "en": advice.en},
    }
