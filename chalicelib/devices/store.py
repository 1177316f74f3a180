"""The table `<stage>-devices`.

    pk                    sk                  row
    CAR#<car>             UNIT                the car's unit, whole, as JSON; `no`: how far its log has come
    CAR#<car>             ORDER#<order>       an order, so that its key hears the same again; gone after KEPT
    SERIAL#<serial>       UNIT                in which car a unit is, or is ordered for: one at a time
    CERT#<certificate>    UNIT                whose a certificate is, once and for all
    LOG#<car>             <no>                its log; a line that ends a certificate is its fact too; a year
    REFUSED#<certificate> <day>#<what>        how often it was refused that day; the last one; gone after KEPT

Every change of a unit writes a line, so the number of the last one says whether it is as it was seen.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

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
from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, read_log, table_name

KEPT = timedelta(days=90)
LOG_KEPT = timedelta(days=366)
MAX_NAME = 128


class UnitItem(Item):
    class Meta:
        table_name = table_name("devices")

    no = NumberAttribute(null=True)
    unit = UnicodeAttribute(null=True)


class OrderItem(Item):
    class Meta:
        table_name = table_name("devices")

    serial = UnicodeAttribute(null=True)
    expires_at = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class SerialItem(Item):
    class Meta:
        table_name = table_name("devices")

    car_id = UnicodeAttribute(null=True)


class CertificateItem(Item):
    class Meta:
        table_name = table_name("devices")

    car_id = UnicodeAttribute(null=True)


class RefusedItem(Item):
    class Meta:
        table_name = table_name("devices")

    times = NumberAttribute(null=True)
    name = UnicodeAttribute(null=True)
    at = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)


class DeviceStore:
    """Each method is one read, or one write that happens whole or not at all."""

    def unit(self, car_id: str) -> Unit:
        item = UnitItem.load(f"CAR#{car_id}", "UNIT")
        return msgspec.json.decode(item.unit, type=Unit) if item is not None else Unit(car_id)

    def car_of(self, serial: str) -> str | None:
        item = SerialItem.load(f"SERIAL#{serial}", "UNIT")
        return str(item.car_id) if item is not None else None

    def order(self, car_id: str, order_id: str) -> Order | None:
        item = OrderItem.load(f"CAR#{car_id}", f"ORDER#{order_id}")
        return Order(order_id, car_id, item.serial, moment(item.expires_at)) if item is not None else None

    def save(
        self,
        before: Unit,
        after: Unit,
        told: Sequence[tuple[Line, Fact | None]],
        order: Order | None = None,
    ) -> None:
        write = AllOrNothing()
        if order is not None:
            write.put(_order_item(order), only_if=OrderItem.pk.does_not_exist(), otherwise=OrderTaken)
        self._move_serial(write, before, after)
        self._keep_certificates(write, before, after)
        seen = before.head.no
        unit = msgspec.json.encode(after).decode()
        write.put(
            UnitItem(f"CAR#{after.car_id}", "UNIT", no=after.head.no, unit=unit),
            only_if=UnitItem.no == seen if seen else UnitItem.pk.does_not_exist(),
            otherwise=UnitMoved,
        )
        for line, fact in told:
            write.line(UnitItem, line, fact=fact, ttl=int((line.at + LOG_KEPT).timestamp()))
        write.commit()

    def _move_serial(self, write: AllOrNothing, before: Unit, after: Unit) -> None:
        if before.serial == after.serial:
            return
        if after.serial is not None:
            mine = SerialItem.pk.does_not_exist() | (SerialItem.car_id == after.car_id)
            item = SerialItem(f"SERIAL#{after.serial}", "UNIT", car_id=after.car_id)
            write.put(item, only_if=mine, otherwise=SerialTaken)
        if before.serial is not None:
            write.delete(SerialItem(f"SERIAL#{before.serial}", "UNIT"))

    def _keep_certificates(self, write: AllOrNothing, before: Unit, after: Unit) -> None:
        known = {each.certificate_id for each in before.certificates}
        for made in after.certificates:
            if made.certificate_id not in known:
                item = CertificateItem(f"CERT#{made.certificate_id}", "UNIT", car_id=after.car_id)
                mine = CertificateItem.pk.does_not_exist() | (CertificateItem.car_id == after.car_id)
                write.put(item, only_if=mine, otherwise=CertificateTaken)

    def record(self, refusal: Refusal) -> None:
        day = refusal.at.astimezone(KST).date()
        write = AllOrNothing()
        write.update(
            RefusedItem(f"REFUSED#{refusal.under[:MAX_NAME]}", f"{day}#{refusal.what}"),
            RefusedItem.times.add(1),
            RefusedItem.name.set(refusal.name[:MAX_NAME]),
            RefusedItem.at.set(stamp(refusal.at)),
            RefusedItem.ttl.set(int((refusal.at + KEPT).timestamp())),
        )
        write.commit()

    def log(self, car_id: str, after: int, limit: int) -> list[Line]:
        return read_log(UnitItem, car_id, after, limit)


def _order_item(order: Order) -> OrderItem:
    return OrderItem(
        f"CAR#{order.car_id}",
        f"ORDER#{order.order_id}",
        serial=order.serial,
        expires_at=stamp(order.expires_at),
        ttl=int((order.expires_at + KEPT).timestamp()),
    )
