"""A world with two registered cars, one unit on the bench, and an AWS IoT that notes what it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.devices.model import Admission, Attempt, Connection, Unit, Verdict, Why
from chalicelib.devices.service import DeviceService, Store
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.facts import Fact
from tests.conftest import Hands

CAR, OTHER_CAR = "car-0001", "car-0002"
SERIAL, OTHER_SERIAL = "TCU-0001", "TCU-0002"
CLAIM = "c1a1" * 16
STAFF = "olga"


def certificate(number: int) -> str:
    return f"{number:064x}"


class Cars:
    def exists(self, car_id: str) -> None:
        if car_id not in (CAR, OTHER_CAR):
            raise NotFound()


@dataclass
class Registry:
    """`down`: AWS IoT does not answer."""

    ended: list[tuple[str, str, bool]] = field(default_factory=list)
    down: bool = False

    def end(self, certificate_id: str, car_id: str, *, revoked: bool) -> bool:
        if self.down:
            raise ConnectionError
        self.ended.append((certificate_id, car_id, revoked))
        return revoked


@dataclass
class World:
    service: DeviceService
    store: Store
    registry: Registry
    clock: Hands
    facts: Callable[[], list[Fact]]
    refusals: Callable[[], list[tuple[str, str]]]

    def order(self, serial: str = SERIAL, car_id: str = CAR, key: str = "k1") -> str:
        """The code."""
        return self.service.order(car_id, serial, STAFF, key).value.code

    def admit(
        self, code: str, certificate_id: str, serial: str = SERIAL, claim_id: str = CLAIM
    ) -> Admission | None:
        return self.service.admit(Attempt(serial, code, certificate_id, claim_id, self.clock()))

    def connect(self, certificate_id: str, client_id: str = CAR) -> Verdict:
        return self.service.heard(Connection(client_id, certificate_id, self.clock()))

    def enrolled(self, certificate_id: str, key: str = "k1", serial: str = SERIAL) -> None:
        """Ordered, admitted and seen."""
        assert self.admit(self.order(serial, key=key), certificate_id, serial)
        assert self.connect(certificate_id) is Verdict.FIRST

    def close_all(self) -> None:
        """Every fact that waits is heard."""
        for fact in self.facts():
            data = fact.data
            self.service.close(data["car_id"], data["certificate_id"], Why(data["reason"]))

    def states(self) -> dict[str, str]:
        return {each.certificate_id[-1]: each.state.value for each in self.unit.certificates}

    @property
    def unit(self) -> Unit:
        return self.store.unit(CAR)
