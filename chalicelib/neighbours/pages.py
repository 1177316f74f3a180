"""What the pages of operations and customers know of smart keys, keys, appointments and points."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.pages.model import Delayed, Expiring, Funnel, Step, Stuck, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from chalicelib.appointments.service import AppointmentService
    from chalicelib.keys.service import KeyService
    from chalicelib.points.service import PointService
    from chalicelib.smartkeys.service import SmartKeyService


class GrantsOfPages(Struct, frozen=True):
    smartkeys: "Callable[[], SmartKeyService]"

    def funnel(self, day: "date") -> "Funnel":
        from chalicelib.smartkeys.model import Stage

        steps = {Stage.ISSUED: Step.WAITING, Stage.SENT: Step.SENT, Stage.OPENED: Step.OPENED}
        found = self.smartkeys().funnel(day)
        stuck = tuple(
            Stuck(each.contract_id, each.car_id, steps[each.stage], each.link_died, each.issued_at)
            for each in found.stuck
        )
        return Funnel(found.issued, found.unlocked, found.revoked + found.expired, stuck)


class ShipmentsOfPages(Struct, frozen=True):
    keys: "Callable[[], KeyService]"

    def troubles(self, limit: int) -> "list[Trouble]":
        found = self.keys().troubles(limit)
        return [Trouble(each.shipment_id, each.contract_id, each.kind, each.since) for each in found]

    def oldest_due(self, at: "datetime") -> "datetime | None":
        return self.keys().oldest_due(at)


class AppointmentsOfPages(Struct, frozen=True):
    appointments: "Callable[[], AppointmentService]"

    def troubles(self, limit: int) -> "list[Delayed]":
        found = self.appointments().troubles(limit)
        return [
            Delayed(each.appointment_id, each.contract_id, each.kind, each.since, each.parking_cost)
            for each in found
        ]


class PointsOfPages(Struct, frozen=True):
    points: "Callable[[], PointService]"

    def balance(self, customer_id: str) -> "tuple[int, Expiring | None]":
        found = self.points().standing(customer_id)
        at, first = found.expiring[0] if found.expiring else (None, 0)
        return found.balance, Expiring(first, at) if at else None
