"""The device store in memory: the same promises as `chalicelib.devices.store`, in dictionaries."""

from collections import defaultdict
from collections.abc import Sequence

from chalicelib.devices.model import (
    CertificateTaken,
    Order,
    OrderTaken,
    Refusal,
    SerialTaken,
    Unit,
    UnitMoved,
)
from chalicelib.kernel.audit import Line
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import LogMoved
from tests.memory import MemoryWrite


class MemoryDevices:
    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}
        self.serials: dict[str, str] = {}
        self.certificates: dict[str, str] = {}
        self.orders: dict[tuple[str, str], Order] = {}
        self.logs: defaultdict[str, list[Line]] = defaultdict(list)
        self.facts: list[Fact] = []
        self.refusals: list[Refusal] = []

    def unit(self, car_id: str) -> Unit:
        return self.units.get(car_id, Unit(car_id))

    def car_of(self, serial: str) -> str | None:
        return self.serials.get(serial)

    def order(self, car_id: str, order_id: str) -> Order | None:
        return self.orders.get((car_id, order_id))

    def save(
        self,
        before: Unit,
        after: Unit,
        told: Sequence[tuple[Line, Fact | None]],
        order: Order | None = None,
    ) -> None:
        write, car_id = MemoryWrite(), after.car_id
        if order is not None:
            key = (car_id, order.order_id)
            write.clause(
                holds=lambda: key not in self.orders,
                then=lambda: self.orders.update({key: order}),
                otherwise=OrderTaken,
            )
        self._move_serial(write, before, after)
        for each in after.certificates:
            self._make_certificate(write, each.certificate_id, car_id)
        write.clause(
            holds=lambda: self.unit(car_id).head.no == before.head.no,
            then=lambda: self.units.update({car_id: after}),
            otherwise=UnitMoved,
        )
        for line, fact in told:
            self._tell(write, line, fact)
        write.commit()

    def _make_certificate(self, write: MemoryWrite, certificate_id: str, car_id: str) -> None:
        write.clause(
            holds=lambda: self.certificates.get(certificate_id, car_id) == car_id,
            then=lambda: self.certificates.update({certificate_id: car_id}),
            otherwise=CertificateTaken,
        )

    def _tell(self, write: MemoryWrite, line: Line, fact: Fact | None) -> None:
        log = self.logs[line.log]
        write.clause(
            holds=lambda: line.no not in [each.no for each in log],
            then=lambda: log.append(line),
            otherwise=LogMoved,
        )
        if fact is not None:
            write.fact(self.facts, fact)

    def _move_serial(self, write: MemoryWrite, before: Unit, after: Unit) -> None:
        taken, freed = after.serial, before.serial
        if taken == freed:
            return
        if taken is not None:
            write.clause(
                holds=lambda: self.serials.get(taken, after.car_id) == after.car_id,
                then=lambda: self.serials.update({taken: after.car_id}),
                otherwise=SerialTaken,
            )
        if freed is not None:
            write.clause(then=lambda: self.serials.__delitem__(freed))

    def record(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def log(self, car_id: str, after: int, limit: int) -> list[Line]:
        return [line for line in self.logs[car_id] if line.no > after][:limit]
