"""The table `<stage>-billing`.

| pk                    | sk                | row                                                        |
|-----------------------|-------------------|------------------------------------------------------------|
| ACCOUNT#<contract_id> | ACCOUNT           | where billing stands; its version guards all other rows    |
| ACCOUNT#<contract_id> | HEARD#<fact id>   | one fact as it was understood                              |
| ACCOUNT#<contract_id> | POSTING#<cause>   | one movement between two ledger accounts, never changed    |
| ACCOUNT#<contract_id> | CHARGE#<id>       | one charge and how far it got                              |
| ACCOUNT#<contract_id> | REFUND#<id>       | one refund, asked for until it is confirmed                |
| ACCOUNT#<contract_id> | CARD#<request id> | a change of the card that was granted                      |
| FACT#<contract_id>    | <time>#<id>       | a published fact                                           |

A contract's account is one query, as long as the contract's own life. Index `due` (due_shard, due_at) holds
an account only while a timer runs. The card is in the one attribute `personal` of ACCOUNT, which no
condition, index or fact ever reads; no row names a person. The table is encrypted at rest.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

import msgspec
from pynamodb.attributes import BooleanAttribute, MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.billing.model import (
    Account,
    Billing,
    Book,
    Card,
    CardChange,
    Charge,
    Due,
    Heard,
    Ledger,
    MovedOn,
    Posting,
    Refund,
)
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.deadlines import due_pages, shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.settings import SETTINGS
from chalicelib.kernel.tables import AllOrNothing, Item, Raw, table_name

S = TypeVar("S", bound=msgspec.Struct)


class BillingItem(Item):
    class Meta:
        table_name = table_name("billing")
        region = SETTINGS.region


class AccountItem(BillingItem):
    customer_id = UnicodeAttribute()
    state = UnicodeAttribute()
    personal = MapAttribute[str, Any](null=True)  # type: ignore[no-untyped-call]
    due_shard = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    heard_at = UnicodeAttribute(null=True)
    again_at = UnicodeAttribute(null=True)
    rung = NumberAttribute()
    settled = BooleanAttribute()
    version = NumberAttribute()


class PostingItem(BillingItem):
    what = UnicodeAttribute()
    debit = UnicodeAttribute()
    credit = UnicodeAttribute()
    amount = NumberAttribute()
    at = UnicodeAttribute()


class ValueItem(BillingItem):
    """A value of the model as JSON; its key is the row's."""

    value = UnicodeAttribute()


class BillingStore:
    def book(self, contract_id: str) -> Book | None:
        pages = ValueItem.query(_pk(contract_id), consistent_read=True).page_iter
        rows = {raw["sk"]["S"]: raw for raw in chain.from_iterable(page["Items"] for page in pages)}
        head = rows.get("ACCOUNT")
        if head is None:
            return None
        charges = _values(rows, "CHARGE#", Charge)
        postings = [raw for key, raw in rows.items() if key.startswith("POSTING#")]
        return Book(
            account=_account(contract_id, AccountItem.from_raw_data(head)),
            heard=_values(rows, "HEARD#", Heard),
            postings=tuple(_posting(PostingItem.from_raw_data(raw)) for raw in postings),
            charges=tuple(sorted(charges, key=lambda each: each.at)),
            refunds=_values(rows, "REFUND#", Refund),
            card_changes=_values(rows, "CARD#", CardChange),
        )

    def state(self, contract_id: str) -> Billing | None:
        item = AccountItem.load(_pk(contract_id), "ACCOUNT")
        return Billing(item.state) if item else None

    def save(self, before: Book, after: Book, facts: Sequence[Fact]) -> None:
        write = AllOrNothing()
        write.put(_account_item(after.account), only_if=_as_seen(before.account), otherwise=MovedOn)
        for posting in _fresh(before.postings, after.postings):
            write.put(
                _posting_item(after.account.contract_id, posting),
                only_if=PostingItem.pk.does_not_exist(),
                otherwise=MovedOn,
            )
        for key, value in _changed_values(before, after):
            write.put(
                ValueItem(_pk(after.account.contract_id), key, value=msgspec.json.encode(value).decode())
            )
        for fact in facts:
            write.fact(BillingItem, fact)
        write.commit()

    def due(self, shard: int, until: datetime) -> Iterator[list[Due]]:
        for page in due_pages(BillingItem, shard, until):
            yield [_due(raw) for raw in page]


def _pk(contract_id: str) -> str:
    return f"ACCOUNT#{contract_id}"


def _due(raw: Raw) -> Due:
    return Due(raw["pk"]["S"].removeprefix("ACCOUNT#"), moment(raw["due_at"]["S"]))


def _as_seen(account: Account) -> Condition:
    if account.version == 0:
        return AccountItem.pk.does_not_exist()
    return AccountItem.version == account.version


def _fresh(before: tuple[S, ...], after: tuple[S, ...]) -> list[S]:
    """New, or not as it was."""
    return [each for each in after if each not in before]


def _changed_values(before: Book, after: Book) -> Iterator[tuple[str, msgspec.Struct]]:
    for heard in _fresh(before.heard, after.heard):
        yield f"HEARD#{heard.id}", heard
    for charge in _fresh(before.charges, after.charges):
        yield f"CHARGE#{charge.charge_id}", charge
    for refund in _fresh(before.refunds, after.refunds):
        yield f"REFUND#{refund.refund_id}", refund
    for change in _fresh(before.card_changes, after.card_changes):
        yield f"CARD#{change.request_id}", change


def _values(rows: dict[str, Raw], prefix: str, kind: type[S]) -> tuple[S, ...]:
    found = (raw["value"]["S"] for key, raw in rows.items() if key.startswith(prefix))
    return tuple(msgspec.json.decode(value, type=kind) for value in found)


def _account_item(account: Account) -> AccountItem:
    return AccountItem(
        _pk(account.contract_id),
        "ACCOUNT",
        customer_id=account.customer_id,
        state=account.state,
        personal=msgspec.to_builtins(account.card) if account.card else None,
        due_shard=shard_of(account.contract_id) if account.due_at else None,
        due_at=stamp(account.due_at) if account.due_at else None,
        heard_at=stamp(account.heard_at) if account.heard_at else None,
        again_at=stamp(account.again_at) if account.again_at else None,
        rung=account.rung,
        settled=account.settled,
        version=account.version,
    )


def _account(contract_id: str, item: AccountItem) -> Account:
    return Account(
        contract_id=contract_id,
        customer_id=item.customer_id,
        state=Billing(item.state),
        card=msgspec.convert(item.personal.attribute_values, Card) if item.personal else None,
        due_at=moment(item.due_at) if item.due_at else None,
        rung=int(item.rung),
        heard_at=moment(item.heard_at) if item.heard_at else None,
        again_at=moment(item.again_at) if item.again_at else None,
        settled=bool(item.settled),
        version=int(item.version),
    )


def _posting_item(contract_id: str, posting: Posting) -> PostingItem:
    return PostingItem(
        _pk(contract_id),
        f"POSTING#{posting.cause}",
        what=posting.what,
        debit=posting.debit,
        credit=posting.credit,
        amount=posting.amount,
        at=stamp(posting.at),
    )


def _posting(item: PostingItem) -> Posting:
    return Posting(
        cause=item.sk.removeprefix("POSTING#"),
        what=item.what,
        debit=Ledger(item.debit),
        credit=Ledger(item.credit),
        amount=int(item.amount),
        at=moment(item.at),
    )
