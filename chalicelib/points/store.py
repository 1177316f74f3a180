"""The table `<stage>-points`.

    pk                        sk              row
    WALLET#<customer>         WALLET          lots, holds, debt; `version` counts its changes
    WALLET#<customer>         ENTRY#<no>      one movement, for ever; the wallet says how many there are
    WALLET#<customer>         BIRTHDAY        month and day, if the customer told them
    BIRTHDAY#<mm-dd>          <customer>      the same, by day
    CAUSE#<cause>             CAUSE           that an award was given; for ever
    GRANT#<grant>             GRANT           that somebody asked for more points than one person gives
    EARNING#<checkout>        EARNING         what a checkout's card money has earned, and what came of it
    CONVERSION#<conversion>   CONVERSION      points on their way to a partner, and what became of them
    JOB#birthdays             JOB             up to which day birthdays were celebrated
    FACT#<customer>           <time>#<id>     a published fact

`lots` are JSON: [[lot, points], ...]; `held` {checkout: lots}. Index `due` (due_shard, due_at) holds the keys
of a wallet while it has lots, and of a conversion while the partner's last word is missing.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import msgspec
from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel import deadlines
from chalicelib.kernel.aws import client
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.money import Unbalanced
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, table_name
from chalicelib.points.model import (
    AlreadyBooked,
    Birthday,
    Booked,
    Change,
    Conversion,
    ConversionState,
    Due,
    Earning,
    Lots,
    MovedOn,
    Movement,
    Proposal,
    Wallet,
    WalletMoved,
)

PAGE = 250


class WalletItem(Item):
    class Meta:
        table_name = table_name("points")

    customer_id = UnicodeAttribute(null=True)
    lots = UnicodeAttribute(null=True)
    held = UnicodeAttribute(null=True)
    debt = NumberAttribute(null=True)
    version = NumberAttribute(null=True)
    entries = NumberAttribute(null=True)
    warned = UnicodeAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


class EntryItem(Item):
    class Meta:
        table_name = table_name("points")

    movement = UnicodeAttribute()


class CauseItem(Item):
    class Meta:
        table_name = table_name("points")

    request = UnicodeAttribute(null=True)
    lot = UnicodeAttribute(null=True)


class GrantItem(Item):
    class Meta:
        table_name = table_name("points")

    proposal = UnicodeAttribute()


class EarningItem(Item):
    class Meta:
        table_name = table_name("points")

    earning = UnicodeAttribute()
    changes = NumberAttribute()


class BirthdayItem(Item):
    class Meta:
        table_name = table_name("points")

    month = NumberAttribute(null=True)
    day = NumberAttribute(null=True)
    changed_at = UnicodeAttribute(null=True)


class BornItem(Item):
    class Meta:
        table_name = table_name("points")


class JobItem(Item):
    class Meta:
        table_name = table_name("points")

    day = UnicodeAttribute(null=True)


class ConversionItem(Item):
    class Meta:
        table_name = table_name("points")

    customer_id = UnicodeAttribute()
    partner_id = UnicodeAttribute()
    account = UnicodeAttribute()
    points = NumberAttribute()
    gives = NumberAttribute()
    request = UnicodeAttribute()
    asked_at = UnicodeAttribute()
    lots = UnicodeAttribute()
    state = UnicodeAttribute()
    rung = NumberAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)


class PointStore:
    """The stores of `service.ports` on DynamoDB."""

    # --- wallets -------------------------------------------------------------------------------------------

    def wallet(self, customer_id: str) -> Wallet:
        row = WalletItem.load(_owner(customer_id), "WALLET")
        return _wallet(row) if row else Wallet(customer_id)

    def change(self, write: AllOrNothing, change: Change) -> None:
        seen, after = change.before.version, change.after
        as_read = WalletItem.version == seen if seen else WalletItem.pk.does_not_exist()
        write.put(_wallet_item(after), only_if=as_read, otherwise=WalletMoved)
        for movement in change.movements:
            row = EntryItem(_owner(after.customer_id), _entry(movement.no))
            row.movement = msgspec.json.encode(movement).decode()
            # a wallet whose row was lost begins anew, and must not write over what it was
            write.put(row, only_if=EntryItem.pk.does_not_exist(), otherwise=WalletMoved)

    def once(self, write: AllOrNothing, booked: Booked) -> None:
        row = _cause(booked.cause)
        row.request, row.lot = booked.request or None, booked.lot or None
        write.put(row, only_if=CauseItem.pk.does_not_exist(), otherwise=AlreadyBooked)

    def booked(self, cause: str) -> Booked | None:
        key = _cause(cause)
        row = CauseItem.load(key.pk, key.sk)
        return Booked(cause, row.request or "", row.lot or "") if row else None

    def movements(self, customer_id: str, limit: int, before: int | None) -> Sequence[Movement]:
        last = _entry(before - 1) if before is not None else _entry(10**10 - 1)
        answer = client("dynamodb").query(
            TableName=WalletItem.Meta.table_name,
            KeyConditionExpression="pk = :owner AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":owner": {"S": _owner(customer_id)},
                ":first": {"S": _entry(0)},
                ":last": {"S": last},
            },
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit,
        )
        return list(_movements(answer["Items"]))

    def publish(self, write: AllOrNothing, fact: Fact) -> None:
        write.fact(WalletItem, fact)

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]:
        for page in deadlines.due_pages(WalletItem, shard, until):
            yield [_due(row) for row in page]

    # --- awards --------------------------------------------------------------------------------------------

    def earning(self, checkout_id: str) -> Earning | None:
        row = EarningItem.load(f"EARNING#{checkout_id}", "EARNING")
        return msgspec.json.decode(row.earning, type=Earning) if row else None

    def earn(self, write: AllOrNothing, before: Earning | None, after: Earning) -> None:
        row = EarningItem(f"EARNING#{after.checkout_id}", "EARNING")
        row.earning, row.changes = msgspec.json.encode(after).decode(), after.changes
        as_read = EarningItem.changes == before.changes if before else EarningItem.pk.does_not_exist()
        write.put(row, only_if=as_read, otherwise=WalletMoved)

    def propose(self, proposal: Proposal) -> None:
        row = GrantItem(f"GRANT#{proposal.grant_id}", "GRANT")
        row.proposal = msgspec.json.encode(proposal).decode()
        write = AllOrNothing()
        write.put(row, only_if=GrantItem.pk.does_not_exist(), otherwise=AlreadyBooked)
        write.commit()

    def proposal(self, grant_id: str) -> Proposal | None:
        row = GrantItem.load(f"GRANT#{grant_id}", "GRANT")
        return msgspec.json.decode(row.proposal, type=Proposal) if row else None

    def birthday(self, customer_id: str) -> Birthday | None:
        row = BirthdayItem.load(_owner(customer_id), "BIRTHDAY")
        return Birthday(customer_id, int(row.month), int(row.day), moment(row.changed_at)) if row else None

    def declare(self, before: Birthday | None, after: Birthday) -> None:
        row = BirthdayItem(_owner(after.customer_id), "BIRTHDAY", month=after.month, day=after.day)
        row.changed_at = stamp(after.changed_at)
        new, seen = BirthdayItem.pk.does_not_exist(), before and stamp(before.changed_at)
        as_read = BirthdayItem.changed_at == seen if seen else new
        write = AllOrNothing()
        write.put(row, only_if=as_read, otherwise=MovedOn)
        write.put(_born(after))
        if before is not None:
            write.delete(_born(before))
        write.commit()

    def born(self, name: str) -> Iterator[str]:
        for row in BornItem.query(f"BIRTHDAY#{name}", page_size=PAGE):
            yield row.sk

    def celebrated(self) -> date | None:
        row = JobItem.load("JOB#birthdays", "JOB")
        return date.fromisoformat(row.day) if row else None

    def celebrate(self, before: date | None, day: date) -> None:
        as_read = JobItem.day == before.isoformat() if before else JobItem.pk.does_not_exist()
        write = AllOrNothing()
        write.put(JobItem("JOB#birthdays", "JOB", day=day.isoformat()), only_if=as_read, otherwise=MovedOn)
        write.commit()

    # --- conversions ---------------------------------------------------------------------------------------

    def open(self, write: AllOrNothing, conversion: Conversion) -> None:
        new = ConversionItem.pk.does_not_exist()
        write.put(_conversion_item(conversion), only_if=new, otherwise=AlreadyBooked)

    def conversion(self, conversion_id: str) -> Conversion | None:
        row = ConversionItem.load(f"CONVERSION#{conversion_id}", "CONVERSION")
        return _conversion(row) if row else None

    def end(self, write: AllOrNothing, after: Conversion) -> None:
        waits = ConversionItem.state == ConversionState.PENDING
        write.put(_conversion_item(after), only_if=waits, otherwise=MovedOn)

    def mark(self, before: Conversion, after: Conversion) -> None:
        as_read = ConversionItem.due_at == (before.due_at and stamp(before.due_at))
        write = AllOrNothing()
        write.put(_conversion_item(after), only_if=as_read, otherwise=MovedOn)
        write.commit()


def _owner(customer_id: str) -> str:
    return f"WALLET#{customer_id}"


def _entry(no: int) -> str:
    return f"ENTRY#{no:010d}"


def _cause(cause: str) -> CauseItem:
    return CauseItem(f"CAUSE#{cause}", "CAUSE")


def _born(birthday: Birthday) -> BornItem:
    return BornItem(f"BIRTHDAY#{birthday.name}", birthday.customer_id)


def _wallet_item(wallet: Wallet) -> WalletItem:
    due_at = wallet.due_at
    return WalletItem(
        _owner(wallet.customer_id),
        "WALLET",
        customer_id=wallet.customer_id,
        lots=msgspec.json.encode(wallet.lots).decode(),
        held=msgspec.json.encode(wallet.held).decode(),
        debt=wallet.debt,
        version=wallet.version,
        entries=wallet.entries,
        warned=wallet.warned or None,
        due_shard=deadlines.shard_of(wallet.customer_id) if due_at else None,
        due_at=due_at and stamp(due_at),
    )


def _wallet(row: WalletItem) -> Wallet:
    return Wallet(
        customer_id=row.customer_id,
        lots=msgspec.json.decode(row.lots, type=Lots),
        held=msgspec.json.decode(row.held, type=dict[str, Lots]),
        debt=int(row.debt),
        version=int(row.version),
        entries=int(row.entries),
        warned=row.warned or "",
    )


def _movements(rows: Sequence[Raw]) -> Iterator[Movement]:
    for row in rows:
        try:
            yield msgspec.json.decode(row["movement"]["S"], type=Movement)
        except (msgspec.MsgspecError, Unbalanced):
            continue  # its number is missing then, and the witness says so


def _due(row: Raw) -> Due:
    kind, _, name = row["pk"]["S"].partition("#")
    return Due(name, moment(row["due_at"]["S"]), conversion=kind == "CONVERSION")


def _conversion_item(conversion: Conversion) -> ConversionItem:
    due_at = conversion.due_at
    return ConversionItem(
        f"CONVERSION#{conversion.conversion_id}",
        "CONVERSION",
        customer_id=conversion.customer_id,
        partner_id=conversion.partner_id,
        account=conversion.account,
        points=conversion.points,
        gives=conversion.gives,
        request=conversion.request,
        asked_at=stamp(conversion.asked_at),
        lots=msgspec.json.encode(conversion.lots).decode(),
        state=conversion.state.value,
        rung=conversion.rung,
        due_shard=deadlines.shard_of(conversion.conversion_id) if due_at else None,
        due_at=due_at and stamp(due_at),
        reason=conversion.reason,
    )


def _conversion(row: ConversionItem) -> Conversion:
    return Conversion(
        conversion_id=row.pk.removeprefix("CONVERSION#"),
        customer_id=row.customer_id,
        partner_id=row.partner_id,
        account=row.account,
        points=int(row.points),
        gives=int(row.gives),
        request=row.request,
        asked_at=moment(row.asked_at),
        lots=msgspec.json.decode(row.lots, type=Lots),
        state=ConversionState(row.state),
        rung=int(row.rung),
        due_at=moment(row.due_at) if row.due_at else None,
        reason=row.reason,
    )
