"""Notices on DynamoDB, table `<stage>-notices`.

`pk = NOTICE#<notice_id>`, `sk = NOTICE`: the notice. It goes by TTL after three months, as service logs do.
`pk = NUMBER#<mark>`, `sk = TEXTS`: when a number's latest texts went out, for a day.
`pk = SPENT#<day>`, `sk = SPENT`: how many parts of texts a day has cost so far.
`pk = SPENT#<day>`, `sk = TOLD#<whose>`: that its cap was reached, published once.
`pk = GIFTS#<campaign>#<batch>`, `sk = <outcome>#<shard>`: how many of its texts ended so; kept.
`pk = CONSENTS#<customer>`, `sk = CONSENTS`: what the customer agrees to.
`pk = NUMBER#<mark>`, `sk = STRUCK_OFF`: when its owner last refused all advertising; kept.
Index `due`: every notice that is not settled, by the time it is taken up again (`kernel.deadlines`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.kernel.clock import KST, moment, stamp
from chalicelib.kernel.deadlines import SHARDS, due_pages, shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, table_name
from chalicelib.notices.model import (
    AlreadyHeard,
    AlreadySettled,
    AlreadyTold,
    CapReached,
    Consent,
    Consents,
    ConsentsMoved,
    Expiring,
    GiftName,
    Notice,
    State,
    TakenUp,
    Template,
    TextsMoved,
)

TABLE = table_name("notices")
KEPT = timedelta(days=92)
NUMBERS_KEPT = timedelta(days=1)
FAR = timedelta(days=3)
"""Nothing waits longer."""


class NoticeItem(Item):
    class Meta:
        table_name = TABLE

    notice_id = UnicodeAttribute()
    contract_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    send_no = NumberAttribute(null=True)
    campaign_id = UnicodeAttribute(null=True)
    batch_id = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    customer_id = UnicodeAttribute(null=True)
    expires_at = UnicodeAttribute(null=True)
    template = UnicodeAttribute()
    state = UnicodeAttribute()
    asked_at = UnicodeAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    settled_at = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    ttl = NumberAttribute()


class NumberItem(Item):
    class Meta:
        table_name = TABLE

    times: ListAttribute[Any] = ListAttribute()
    ttl = NumberAttribute()


class SpentItem(Item):
    class Meta:
        table_name = TABLE

    parts = NumberAttribute()
    ttl = NumberAttribute()


class ToldItem(Item):
    class Meta:
        table_name = TABLE

    ttl = NumberAttribute()


class TallyItem(Item):
    class Meta:
        table_name = TABLE

    texts = NumberAttribute()


class ConsentsItem(Item):
    class Meta:
        table_name = TABLE

    marketing_given_at = UnicodeAttribute(null=True)
    marketing_confirmed_at = UnicodeAttribute(null=True)
    night_given_at = UnicodeAttribute(null=True)
    night_confirmed_at = UnicodeAttribute(null=True)
    version = NumberAttribute()


class StruckOffItem(Item):
    class Meta:
        table_name = TABLE

    at = UnicodeAttribute()


def _key(notice: Notice) -> NoticeItem:
    return NoticeItem(f"NOTICE#{notice.notice_id}", "NOTICE")


def _spent_key(day: date) -> tuple[str, str]:
    return f"SPENT#{day.isoformat()}", "SPENT"


def _gone_by(at: datetime, kept: timedelta = KEPT) -> int:
    return int((at + kept).timestamp())


class NoticeStore:
    # ---- notices ------------------------------------------------------------------------------------------

    def begin(self, notice: Notice) -> None:
        write = AllOrNothing()
        write.put(_item(notice), only_if=NoticeItem.pk.does_not_exist(), otherwise=AlreadyHeard)
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Notice]]:
        for page in due_pages(NoticeItem, shard, until):
            yield [_notice(NoticeItem.from_raw_data(raw)) for raw in page]

    def move(self, before: Notice, after: Notice) -> None:
        as_read = (NoticeItem.state == before.state) & (NoticeItem.due_at == _stamp(before.due_at))
        write = AllOrNothing()
        write.put(_item(after), only_if=as_read, otherwise=TakenUp)
        write.commit()

    def settle(self, notice: Notice, at: datetime, fact: Fact | None) -> None:
        item = _item(notice)
        item.settled_at = stamp(at)
        write = AllOrNothing()
        write.put(item, only_if=NoticeItem.state == State.PENDING, otherwise=AlreadySettled)
        if fact:
            write.fact(NoticeItem, fact)
        if notice.gift:
            outcome = f"{notice.reason or notice.state.value}#{shard_of(notice.notice_id)}"
            tally = TallyItem(_gifts_pk(notice.gift.campaign_id, notice.gift.batch_id), outcome)
            write.update(tally, TallyItem.texts.add(1))
        write.commit()

    def texts_of(self, campaign_id: str, batch_id: str) -> dict[str, int]:
        found: Counter[str] = Counter()
        for row in TallyItem.query(_gifts_pk(campaign_id, batch_id), consistent_read=True):
            found[row.sk.partition("#")[0]] += int(row.texts)
        return dict(found)

    def waiting(self, most: int, at: datetime) -> list[Notice]:
        found: list[Notice] = []
        for shard in range(SHARDS):
            page = next(due_pages(NoticeItem, shard, at + FAR, page=most))
            found += [_notice(NoticeItem.from_raw_data(raw)) for raw in page]
        waiting = (notice for notice in found if notice.state == State.WAITING and notice.due_at)
        return sorted(waiting, key=lambda notice: (notice.due_at, notice.notice_id))[:most]

    # ---- limits -------------------------------------------------------------------------------------------

    def texts_to(self, number: str) -> tuple[datetime, ...]:
        item = NumberItem.load(f"NUMBER#{number}", "TEXTS")
        return tuple(moment(text) for text in item.times) if item else ()

    def save_texts(self, number: str, seen: Sequence[datetime], times: Sequence[datetime]) -> None:
        key, ttl = (f"NUMBER#{number}", "TEXTS"), _gone_by(times[-1], NUMBERS_KEPT)
        as_read = (NumberItem.times == _stamps(seen)) if seen else NumberItem.pk.does_not_exist()
        write = AllOrNothing()
        write.put(NumberItem(*key, times=_stamps(times), ttl=ttl), only_if=as_read, otherwise=TextsMoved)
        write.commit()

    def spend(self, day: date, parts: int, most: int) -> bool:
        """One plain write: many texts at once wait for the row, and do not conflict over it."""
        if parts > most:
            return False
        midnight = datetime.combine(day, datetime.min.time(), KST)
        few = (SpentItem.parts <= most - parts) | SpentItem.pk.does_not_exist()
        write = AllOrNothing()
        write.update(
            SpentItem(*_spent_key(day)),
            SpentItem.parts.add(parts),
            SpentItem.ttl.set(_gone_by(midnight)),
            only_if=few,
            otherwise=CapReached,
        )
        try:
            write.commit()
        except CapReached:
            return False
        return True

    def give_back(self, day: date, parts: int) -> None:
        write = AllOrNothing()
        write.update(SpentItem(*_spent_key(day)), SpentItem.parts.add(-parts))
        write.commit()

    def spent(self, day: date) -> int:
        item = SpentItem.load(*_spent_key(day))
        return int(item.parts) if item else 0

    def tell_cap(self, day: date, whose: str, at: datetime, fact: Fact) -> None:
        place, _ = _spent_key(day)
        write = AllOrNothing()
        write.put(
            ToldItem(place, f"TOLD#{whose}", ttl=_gone_by(at)),
            only_if=ToldItem.pk.does_not_exist(),
            otherwise=AlreadyTold,
        )
        write.fact(NoticeItem, fact)
        write.commit()

    # ---- consents -----------------------------------------------------------------------------------------

    def consents(self, customer_id: str) -> Consents:
        item = ConsentsItem.load(f"CONSENTS#{customer_id}", "CONSENTS")
        if item is None:
            return Consents(customer_id)
        return Consents(
            customer_id,
            _consent(item.marketing_given_at, item.marketing_confirmed_at),
            _consent(item.night_given_at, item.night_confirmed_at),
            int(item.version),
        )

    def agree(self, before: Consents, after: Consents) -> None:
        new = ConsentsItem.pk.does_not_exist()
        as_read = (ConsentsItem.version == before.version) if before.version else new
        write = AllOrNothing()
        write.put(_consents_item(after), only_if=as_read, otherwise=ConsentsMoved)
        write.commit()

    def strike_off(self, number: str, at: datetime) -> None:
        item = StruckOffItem(f"NUMBER#{number}", "STRUCK_OFF", at=stamp(at))
        later = StruckOffItem.pk.does_not_exist() | (StruckOffItem.at < stamp(at))
        write = AllOrNothing()
        write.put(item, only_if=later, otherwise=AlreadyHeard)
        with suppress(AlreadyHeard):
            write.commit()

    def struck_off(self, number: str) -> datetime | None:
        item = StruckOffItem.load(f"NUMBER#{number}", "STRUCK_OFF")
        return moment(item.at) if item else None


def _gifts_pk(campaign_id: str, batch_id: str) -> str:
    return f"GIFTS#{campaign_id}#{batch_id}"


def _stamp(at: datetime | None) -> str | None:
    return stamp(at) if at else None


def _stamps(times: Sequence[datetime]) -> list[str]:
    return [stamp(at) for at in times]


def _item(notice: Notice) -> NoticeItem:
    item = _key(notice)
    item.notice_id, item.template, item.state = notice.notice_id, notice.template, notice.state
    item.contract_id, item.grant_id, item.send_no = notice.contract_id, notice.grant_id, notice.send_no
    if notice.gift:
        item.campaign_id, item.batch_id = notice.gift.campaign_id, notice.gift.batch_id
        item.number = notice.gift.number
    if notice.expiring:
        item.customer_id, item.expires_at = notice.expiring.customer_id, stamp(notice.expiring.at)
    item.asked_at, item.reason = stamp(notice.asked_at), notice.reason
    item.due_at = _stamp(notice.due_at)
    item.due_shard = shard_of(notice.notice_id) if notice.due_at else None
    item.ttl = _gone_by(notice.asked_at)
    return item


def _gift(item: NoticeItem) -> GiftName | None:
    if item.campaign_id is None or item.batch_id is None or item.number is None:
        return None
    return GiftName(item.campaign_id, item.batch_id, int(item.number))


def _expiring(item: NoticeItem) -> Expiring | None:
    if item.customer_id is None or item.expires_at is None:
        return None
    return Expiring(item.customer_id, moment(item.expires_at))


def _consents_item(consents: Consents) -> ConsentsItem:
    item = ConsentsItem(f"CONSENTS#{consents.customer_id}", "CONSENTS", version=consents.version)
    if consents.marketing:
        item.marketing_given_at = stamp(consents.marketing.given_at)
        item.marketing_confirmed_at = stamp(consents.marketing.confirmed_at)
    if consents.night:
        item.night_given_at = stamp(consents.night.given_at)
        item.night_confirmed_at = stamp(consents.night.confirmed_at)
    return item


def _consent(given_at: str | None, confirmed_at: str | None) -> Consent | None:
    return Consent(moment(given_at), moment(confirmed_at)) if given_at and confirmed_at else None


def _notice(item: NoticeItem) -> Notice:
    return Notice(
        notice_id=item.notice_id,
        template=Template(item.template),
        asked_at=moment(item.asked_at),
        due_at=moment(item.due_at) if item.due_at else None,
        contract_id=item.contract_id,
        grant_id=item.grant_id,
        send_no=None if item.send_no is None else int(item.send_no),
        gift=_gift(item),
        expiring=_expiring(item),
        state=State(item.state),
        reason=item.reason,
    )
