"""Notices on DynamoDB, table `<stage>-notices`.

`pk = NOTICE#<notice_id>`, `sk = NOTICE`: the notice. It goes by TTL after three months, as service logs do.
"""

from datetime import datetime, timedelta

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.kernel.clock import stamp
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, table_name
from chalicelib.notices.model import AlreadySettled, BeingSent, Notice, State

KEPT = timedelta(days=92)


class NoticeItem(Item):
    class Meta:
        table_name = table_name("notices")

    contract_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    send_no = NumberAttribute(null=True)
    template = UnicodeAttribute()
    state = UnicodeAttribute()
    leased_until = UnicodeAttribute()
    settled_at = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    ttl = NumberAttribute()


class NoticeStore:
    def claim(self, notice: Notice, at: datetime) -> None:
        write = AllOrNothing()
        left_behind = (NoticeItem.state == State.PENDING) & (NoticeItem.leased_until <= stamp(at))
        item = NoticeItem(
            f"NOTICE#{notice.notice_id}",
            "NOTICE",
            contract_id=notice.contract_id,
            grant_id=notice.grant_id,
            send_no=notice.send_no,
            template=notice.template,
            state=notice.state,
            leased_until=stamp(notice.leased_until),
            ttl=int((at + KEPT).timestamp()),
        )
        write.put(item, only_if=NoticeItem.pk.does_not_exist() | left_behind, otherwise=_in_the_way)
        write.commit()

    def settle(
        self, notice: Notice, state: State, reason: str | None, at: datetime, fact: Fact | None
    ) -> None:
        write = AllOrNothing()
        write.update(
            NoticeItem(f"NOTICE#{notice.notice_id}", "NOTICE"),
            NoticeItem.state.set(state),
            NoticeItem.settled_at.set(stamp(at)),
            NoticeItem.reason.set(reason) if reason else NoticeItem.reason.remove(),
            only_if=NoticeItem.state == State.PENDING,
            otherwise=AlreadySettled,
        )
        if fact:
            write.fact(NoticeItem, fact)
        write.commit()


def _in_the_way(old: Raw | None) -> Conflict | BeingSent:
    pending = old and NoticeItem.from_raw_data(old).state == State.PENDING
    return BeingSent() if pending else AlreadySettled()
