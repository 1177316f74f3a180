"""What the API says in these tests, in the shapes of the contexts' schemas."""

from typing import Any

from tests.pages.site import Reply, problem

CODE = "Zk3vQm8sT1uXyA9bC2dEfG"
PROOF = "990131"

EXCHANGE = "POST /v1/smart-key/exchange"
KEY = "GET /v1/smart-key"
LINKS = "POST /v1/smart-key/links"
COMMANDS = "POST /v1/smart-key/commands"
COMMAND = "GET /v1/smart-key/commands/cmd_1"

OPENED = Reply(204)
ENDED = problem(401, "SESSION_ENDED", "Open the link in your message, or ask for a new one.")


def key(**car: Any) -> Reply:
    return Reply(
        body={
            "grant_id": "grt_1",
            "contract_id": "con_1",
            "car": {
                "car_id": "car-0001",
                "plate": "12가 3456",
                "model": "Avante",
                "online": True,
                "last_seen": "2026-03-02T03:00:00Z",
                **car,
            },
            "actions": ["unlock", "lock", "hazard_on", "hazard_off", "horn"],
            "not_after": "2026-03-09T14:59:00Z",
        }
    )


def command(state: str, reason: str | None = None, **more: Any) -> Reply:
    """A command as both its POST and its GET tell it."""
    return Reply(
        body={
            "command_id": "cmd_1",
            "action": "unlock",
            "state": state,
            "reason": reason,
            "message": "",
            "may_have_executed": False,
            "retryable": False,
            "late": False,
            **more,
        }
    )
