"""A car on the air and whoever holds its smart key, in one process with everything else."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iotdata.models import iotdata_backends
from moto.sns.models import sns_backends

from chalicelib.doors.model import car_key
from chalicelib.kernel.clock import utc_now
from chalicelib.kernel.settings import SETTINGS
from infra.local.car import Unit, now_ms
from tests.api import bearer
from tests.contracts.examples import car_body, driver_body
from tests.whole.bus import function
from tests.whole.conftest import OPS, SECRET, World

BORN = str(driver_body()["birth_date"]).replace("-", "")


def texts_to(phone: str) -> list[str]:
    sent = sns_backends[DEFAULT_ACCOUNT_ID][SETTINGS.region].sms_messages.values()
    return [words for number, words in sent if number == phone]


def on_the_wire() -> list[bytes]:
    """Every command that has left for a car, oldest first."""
    return [
        payload for _, payload in iotdata_backends[DEFAULT_ACCOUNT_ID][SETTINGS.region].published_payloads
    ]


@dataclass
class Drive:
    """A contract with its car. `contract_id` and `car_id` belong to the customer `name`."""

    world: World
    name: str
    number: int
    contract_id: str
    unit: Unit = field(init=False)
    presses: int = 0

    def __post_init__(self) -> None:
        self.car_id = f"car-{self.number:04d}"
        self.phone = f"+821012345{600 + self.number}"
        self.unit = Unit(self.car_id, car_key(SECRET, self.car_id))

    def on_the_air(self) -> "Drive":
        connected = {"client_id": self.car_id, "event": "connected", "version": 0, "at": now_ms()}
        function("DoorsPresence")(connected, None)
        self._says("state", self.unit.state(now_ms()))
        return self

    def _says(self, topic: str, message: dict[str, Any]) -> None:
        where = {"topic": f"cars/{self.car_id}/{topic}", "client_id": self.car_id, "received_at": now_ms()}
        function({"state": "DoorsState", "acks": "DoorsAck"}[topic])({**message, **where}, None)

    @property
    def signed_in(self) -> str:
        """The customer, who has just given their password."""
        return bearer(self.name, auth_time=str(now_ms() // 1000))

    @property
    def staff(self) -> str:
        return bearer("ops", "ops", auth_time=str(now_ms() // 1000))

    def key(self, **order: Any) -> str:
        """Operations give the customer, or whom they name, a smart key. Its id."""
        tomorrow = (utc_now() + timedelta(days=25)).isoformat()
        wanted = {"holder": "customer", "reason": "no key", "not_after": tomorrow, **order}
        path = f"/v1/ops/contracts/{self.contract_id}/smart-keys"
        return str(self.world.says(OPS, path, wanted)["grant_id"])

    def opened(self, phone: str = "", proof: str = BORN) -> dict[str, str]:
        """The cookie of a session, by the link of the newest text."""
        code = texts_to(phone or self.phone)[-1].rpartition("/k#")[2].split()[0]
        answer = self.world.api.post("/v1/smart-key/exchange", {"code": code, "proof": proof})
        assert answer.status_code == 204, answer.body
        self.world.bus.settle()
        return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}

    def press(self, action: str, session: dict[str, str]) -> Any:
        """The answer to a press; when a command has left for the car, the car has answered it."""
        return self._pressed("/v1/smart-key/commands", {"action": action}, headers=session)

    def press_as(self, who: str, action: str, **more: str) -> Any:
        path = f"/v1/contracts/{self.contract_id}/commands"
        return self._pressed(path, {"action": action, **more}, by=who)

    def _pressed(self, path: str, body: dict[str, str], **who: Any) -> Any:
        self.presses += 1
        before = len(on_the_wire())
        answer = self.world.api.post(path, body, key=f"{self.car_id}-press-{self.presses}", **who)
        for payload in on_the_wire()[before:]:
            ack = self.unit.receive(payload, now_ms())
            assert ack is not None
            self._says("acks", ack)
        self.world.bus.settle()
        return answer

    def log(self, of: str = "commands") -> Any:
        return self.world.sees(OPS, f"/v1/ops/cars/{self.car_id}/log?of={of}")


def assigned(world: World, name: str, number: int) -> Drive:
    """The customer has a paid contract and its car, which is on the air, and no key of metal."""
    drive = Drive(world, name, number, world.signed(name, number))
    car = car_body(car_id=drive.car_id, plate=f"{number}2가 3456", key_tags=[f"tag-{number:04d}"])
    world.says(OPS, "/v1/ops/cars", car)
    world.says(
        OPS,
        f"/v1/ops/contracts/{drive.contract_id}/assign",
        {"car_id": drive.car_id, "key_tag": f"tag-{number:04d}"},
    )
    return drive.on_the_air()
