"""The deployed local stack, brought up for the session when nobody did; a caller for each role."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local import people, place
from infra.local import stack as local
from infra.local.client import Api
from infra.local.servers import EMULATOR


@pytest.fixture(scope="session")
def stack() -> Iterator[dict[str, Any]]:
    """What `.local/stack.json` says."""
    was_up = EMULATOR.pid() is not None
    yield local.up()
    if not was_up:
        local.down()


@pytest.fixture(scope="session")
def public(stack: dict[str, Any]) -> Api:
    return Api(stack["api_url"])


@pytest.fixture(scope="session")
def signed_in(stack: dict[str, Any]) -> Callable[[str], Api]:
    """A caller by role: ops, ops2, customer, driver, packer, courier, agent or sponsor."""
    cognito = place.client("cognito-idp")

    def as_role(role: str) -> Api:
        user = people.User(**stack["users"][role])
        return Api(stack["api_url"], token=people.sign_in(cognito, stack["user_pool"]["client_id"], user))

    return as_role


@pytest.fixture(scope="session")
def texts(stack: dict[str, Any]) -> Callable[[str], list[str]]:
    """The texts sent to a number, oldest first."""

    def sent_to(phone: str) -> list[str]:
        with urllib.request.urlopen(stack["sms_outbox_url"], timeout=10) as answer:
            outbox = json.loads(answer.read())["sms_messages"]
        return [text["Message"] for text in outbox.get(phone, [])]

    return sent_to


def eventually(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer; the last one when there was none in time."""
    end = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return seen
