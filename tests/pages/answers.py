"""What the API says in these tests, in the shapes of the contexts' schemas."""

from copy import deepcopy
from typing import Any

from chalicelib.doors.model import ADVICE, Reason
from tests.pages.site import Reply, problem

CODE = "Zk3vQm8sT1uXyA9bC2dEfG"
PROOF = "990131"

EXCHANGE = "POST /v1/smart-key/exchange"
KEY = "GET /v1/smart-key"
LINKS = "POST /v1/smart-key/links"
STEP_UP = "POST /v1/smart-key/step-up"
SIGN_OUT = "POST /v1/smart-key/sign-out"
COMMANDS = "POST /v1/smart-key/commands"
COMMAND = "GET /v1/smart-key/commands/cmd_1"

OPENED = Reply(204)
ENDED = problem(401, "SESSION_ENDED", "Open the link in your message, or ask for a new one.")


CAR: dict[str, Any] = {
    "car_id": "car-0001",
    "plate": "12가 3456",
    "model": "Avante",
    "online": True,
    "last_seen": "2026-03-02T03:00:00Z",
    "locked": True,
    "doors_open": False,
    "battery_percent": 71,
    "position": {"lat": 37.5663, "lon": 126.9779, "at": "2026-03-02T03:00:00Z"},
    "reported_at": "2026-03-02T03:00:00Z",
    "stopped": False,
}


def key(**car: Any) -> Reply:
    return Reply(
        body={
            "grant_id": "grt_1",
            "contract_id": "con_1",
            "who": "customer",
            "car": {**CAR, **car},
            "actions": ["unlock", "lock", "hazard_on", "hazard_off", "horn"],
            "not_after": "2026-03-09T14:59:00Z",
            "uses_left": None,
            "proven_until": "2026-03-03T03:00:00Z",
        }
    )


def advice(reason: str) -> dict[str, str]:
    """What the service itself says to a person about a reason, in both languages."""
    told = ADVICE[Reason(reason)]
    return {"ko": told.ko, "en": told.en}


def refusal(status: int, code: str, **headers: str) -> Reply:
    """A press that was refused before anything was sent."""
    answer = problem(status, code, **headers)
    answer.body["messages"] = advice(code)
    return answer


def command(state: str, reason: str | None = None, **more: Any) -> Reply:
    """A command as both its POST and its GET tell it."""
    return Reply(
        body={
            "command_id": "cmd_1",
            "action": "unlock",
            "state": state,
            "reason": reason,
            "message": advice(reason)["ko"] if reason else "",
            "may_have_executed": False,
            "retryable": False,
            "late": False,
            **more,
        }
    )


SIGN_IN = "POST AWSCognitoIdentityProviderService.InitiateAuth"
GET_OVERVIEW = "GET /v1/ops/overview"
OVERVIEW: dict[str, Any] = {
    "at": "2026-03-02T03:10:00Z",
    "day": "2026-03-02",
    "funnel": {
        "issued": 31,
        "unlocked": 27,
        "opened": 1,
        "sent": 2,
        "waiting": 1,
        "ended": 0,
        "stuck": 4,
    },
    "stuck": [
        {
            "contract_id": f"con_3rv0tq8m4yk2w{number}h7d1c5bn",
            "car_id": f"car-00{number}",
            "step": step,
            "link_died": step == "opened",
            "since": f"2026-03-02T02:{number}:00Z",
        }
        for number, step in ((12, "sent"), (31, "sent"), (44, "opened"), (58, "waiting"))
    ],
    "troubles": [
        {
            "shipment_id": f"shp_{number}",
            "contract_id": f"con_3rv0tq8m4yk2w{number}h7d1c5bn",
            "kind": kind,
            "since": f"2026-03-0{day}T02:{number}:00Z",
        }
        for day, number, kind in ((1, 10, "stalled"), (1, 40, "wrong_address"), (2, 20, "wrong_key"))
    ],
    "more_troubles": False,
    "delayed": [
        {
            "appointment_id": f"apt_{number}",
            "contract_id": f"con_3rv0tq8m4yk2w{number}h7d1c5bn",
            "kind": kind,
            "since": f"2026-03-02T0{hour}:{number}:00Z",
            "parking_cost": cost,
        }
        for hour, number, kind, cost in (
            (2, 21, "locked_out", 4_000),
            (1, 15, "at_risk", None),
            (2, 30, "missed_customer", None),
        )
    ],
    "more_delayed": False,
    "oldest_due": "2026-03-02T03:09:38Z",
}


def signed_in() -> Reply:
    return Reply(body={"AuthenticationResult": {"IdToken": "an.id.token", "AccessToken": "no"}})


def overview(**changed: Any) -> Reply:
    return Reply(body={**deepcopy(OVERVIEW), **changed})
