"""What must be true after every committed call, read from the rows of all tables; and what a refusal needs.

I1  per campaign: available + reserved + captured - refunded = budget, and each pot of each shard is what the
    checkouts' records say
I2  no pot is below zero
I3  a coupon is used by one living checkout, or by none; one that gave all of its discount back uses none
I4  a customer's count is the number of coupons they use, within the limit; so are a campaign's uses
I5  a wallet is the sum of its movements less its holds; its holds are the open checkouts'; nothing below zero
I6  nothing more is given back than was paid, of the card, the points and the coupon alike
I9  a captured checkout never becomes a released one, and no state is left that has no way back
    paid: the bank has taken what captured checkouts say, or owes it back by a refund that is written down
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.checkout.model import Checkout, State
from chalicelib.checkout.store import CheckoutItem, checkout_of
from tests.money.expressions import Row, plain
from tests.money.rows import Key, Rows

OPEN = {State.RESERVED, State.CAPTURING}
PAID = {State.CAPTURED, State.REFUNDED}
ENDS = {State.CANCELLED, State.EXPIRED, State.REFUNDED}


class Untrue(AssertionError):
    """One of them, and what was seen."""


def of(row: Row, name: str, otherwise: Any = None) -> Any:
    return plain(row[name]) if name in row and "NULL" not in row[name] else otherwise


@dataclass
class Moment:
    """What a refusal is judged by, after one commit."""

    at: datetime
    available: int
    uses: int | None
    switch: str
    used: Mapping[str, int]
    free: frozenset[str]
    lots: Mapping[str, Any]


@dataclass
class Truths:
    """Told of every row that is written; `look` says what is untrue."""

    rows: Rows
    campaign_id: str
    first_budget: int
    per_user: int | None
    bank: Any
    now: Any
    campaign: Row = field(default_factory=dict)
    shards: dict[int, dict[str, int]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    coupons: dict[str, Row] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    claimers: dict[str, set[str]] = field(default_factory=dict)
    """What is sold, and the checkouts by which it was ever to be paid."""
    payments: dict[str, Row] = field(default_factory=dict)
    refunds: dict[Key, Row] = field(default_factory=dict)
    wallets: dict[str, Row] = field(default_factory=dict)
    lots: dict[str, Any] = field(default_factory=dict)
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    moved: dict[str, Counter[str]] = field(default_factory=dict)
    """customer -> what the entries of the wallet add up to, by pot."""
    was: dict[str, Checkout] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    paid_since: dict[str, int] = field(default_factory=dict)
    """Checkouts, and how many commits there had been when they were captured."""

    def written(self, table: str, key: Key, row: Row | None) -> None:
        kind, _, name = key[0].partition("#")
        into = getattr(self, f"_{kind.lower()}", None)
        if into is not None:
            into(name, key[1], row)

    # --- rows ----------------------------------------------------------------------------------------------

    def _campaign(self, name: str, sk: str, row: Row | None) -> None:
        if name == self.campaign_id and sk == "CAMPAIGN":
            self.campaign = row or {}

    def _shard(self, name: str, sk: str, row: Row | None) -> None:
        campaign_id, _, number = name.rpartition("#")
        if row is not None and campaign_id == self.campaign_id:
            self.shards[int(number)] = {pot: int(it["N"]) for pot, it in row.items() if "N" in it}

    def _change(self, name: str, sk: str, row: Row | None) -> None:
        """Of the budget: a top-up or a cut, once for each name."""
        campaign_id, _, change = name.partition("#")
        if row is not None and campaign_id == self.campaign_id:
            if name in self.changes:
                raise Untrue(f"{change} was made twice")
            self.changes[name] = -of(row, "amount") if change.startswith("cut/") else of(row, "amount")

    def _coupon(self, name: str, sk: str, row: Row | None) -> None:
        if row is not None:
            self.coupons[name] = row

    def _uses(self, name: str, sk: str, row: Row | None) -> None:
        self.uses[name.rpartition("#")[2]] = of(row or {}, "used", 0)

    def _checkout(self, name: str, sk: str, row: Row | None) -> None:
        if row is None:
            raise Untrue(f"the record of {name} was deleted")
        self.checkouts[name] = checkout_of(CheckoutItem.from_raw_data(row))

    def _claim(self, name: str, sk: str, row: Row | None) -> None:
        if row is not None:
            self.claimers.setdefault(name.partition("#")[2], set()).add(of(row, "checkout_id"))

    def _payment(self, name: str, sk: str, row: Row | None) -> None:
        if row is None:
            raise Untrue(f"payment {name} was deleted")
        if sk == "PAYMENT":
            self.payments[name] = row
        else:
            self.refunds[name, sk.removeprefix("REFUND#")] = row

    def _wallet(self, name: str, sk: str, row: Row | None) -> None:
        if sk == "WALLET":
            self.wallets[name] = row or {}
            self.lots[name] = json.loads(of(self.wallets[name], "lots", "[]"))
            held = json.loads(of(self.wallets[name], "held", "{}"))
            self.held[name] = {key: sum(won for _, won in it) for key, it in held.items()}
        elif sk.startswith("ENTRY#") and row is not None:
            for account, amount in json.loads(row["movement"]["S"])["entry"]["legs"]:
                self.moved.setdefault(name, Counter())[account.rpartition("/")[2]] += amount

    def void(self, coupon: str) -> bool:
        """For good: it came back after its campaign had ended."""
        return bool(of(self.coupons[coupon], "state") == "VOID" and of(self.campaign, "state") == "CLOSED")

    # --- truths --------------------------------------------------------------------------------------------

    def look(self) -> None:
        for truth in (
            self.budget,
            self.pots,
            self.used_coupons,
            self.counts,
            self.points,
            self.given_back,
            self.moves,
        ):
            for problem in truth():
                raise Untrue(problem)
        self._remember()

    @property
    def mine(self) -> list[Checkout]:
        return [each for each in self.checkouts.values() if each.campaign_id == self.campaign_id]

    def total(self, pot: str) -> int:
        return sum(shard[pot] for shard in self.shards.values())

    def budget(self) -> Iterator[str]:
        if not self.campaign:
            return
        limit, left = of(self.campaign, "budget", 0), self.total("available")
        changed = sum(self.changes.values())
        if limit != self.first_budget + changed:
            yield f"I1: the budget is {limit}, it was {self.first_budget} and changed by {self.changes}"
        held = left + self.total("reserved") + self.total("captured") - self.total("refunded")
        if held != limit:
            yield f"I1: {held} of a budget of {limit}"
        spending = PAID if self.bound_at_issue else PAID | OPEN
        spent = sum(each.discount - _back(each) for each in self.mine if each.state in spending)
        bound = sum(of(row, "worth", 0) for row in self.coupons.values())
        if left + spent + bound != limit:
            yield f"I1: {left} available, {spent} granted, {bound} bound, of {limit}"

    def pots(self) -> Iterator[str]:
        """Of each shard, as the records of the checkouts say."""
        counted = {pot: Counter[int]() for pot in ("reserved", "captured", "refunded")}
        for each in self.mine:
            if each.state in OPEN:
                counted["reserved"].update(dict(each.split))
            if each.state in PAID:
                counted["captured"].update(dict(each.split))
            for back in each.refunds:
                counted["refunded"].update(dict(each.split_of(back.refund_id)))
        for number, shard in self.shards.items():
            yield from (f"I2: shard {number} has {won} {pot}" for pot, won in shard.items() if won < 0)
            for pot, by_shard in counted.items():
                if shard[pot] != by_shard[number] and not self.bound_at_issue:
                    yield f"I1: shard {number} has {shard[pot]} {pot}, the records {by_shard[number]}"

    @property
    def bound_at_issue(self) -> bool:
        return bool(of(self.campaign, "reserve_at") == "issue")

    def used_coupons(self) -> Iterator[str]:
        living: Counter[str] = Counter(str(each.coupon_id) for each in self.mine if _uses_coupon(each))
        for coupon_id, count in living.items():
            if count > 1:
                yield f"I3: {count} living checkouts use {coupon_id}"
        for row in self.coupons.values():
            coupon_id = f"{of(row, 'campaign_id')}.{of(row, 'code_hash')}"
            if of(row, "campaign_id") != self.campaign_id:
                continue
            if (of(row, "state") == "USED") != bool(living[coupon_id]):
                yield f"I3: {coupon_id} is {of(row, 'state')}, used by {living[coupon_id]} living checkouts"
            user = self.checkouts.get(of(row, "used_by") or "")
            if of(row, "state") == "USED" and (
                user is None or user.coupon_id != coupon_id or not _uses_coupon(user)
            ):
                yield f"I3: {coupon_id} names {of(row, 'used_by')}, which does not use it"

    def counts(self) -> Iterator[str]:
        living = [each for each in self.mine if _uses_coupon(each)]
        by_customer = Counter(each.customer_id for each in living)
        if self.per_user is not None:
            found = {name: count for name, count in self.uses.items() if count}
            if found != dict(by_customer):
                yield f"I4: counted {found}, using {dict(by_customer)}"
            if max(by_customer.values(), default=0) > self.per_user:
                yield f"I4: {dict(by_customer)} of at most {self.per_user}"
        limit = of(self.campaign, "uses")
        if limit is not None and not self.bound_at_issue:
            left = sum(shard.get("uses_left", 0) for shard in self.shards.values())
            if left + len(living) != limit:
                yield f"I4: {left} uses left and {len(living)} living, of {limit}"

    def points(self) -> Iterator[str]:
        for name, row in self.wallets.items():
            held, debt, pots = self.held[name], of(row, "debt", 0), self.moved.get(name, Counter())
            theirs = [
                each for each in self.checkouts.values() if each.customer_id == name and each.points_used
            ]
            holds = {each.checkout_id: each.points_used for each in theirs if each.state in OPEN}
            owned = sum(won for _, won in self.lots[name]) + sum(held.values())
            spent = sum(each.left.points for each in theirs if each.state in PAID)
            wanted = {"balance": owned, "spent": spent, "debt": -debt}
            if held != holds:
                yield f"I5: {name} holds {held}, open checkouts {holds}"
            if min([debt, *(won for _, won in self.lots[name])]) < 0:
                yield f"I5: {name} has {self.lots[name]}, debt {debt}"
            for pot, amount in wanted.items():
                if pots[pot] != amount:
                    yield f"I5: the {pot} of {name} is {amount}, the movements say {pots[pot]}"

    def given_back(self) -> Iterator[str]:
        for each in self.checkouts.values():
            if min(each.payable, each.discount, each.points_used) < 0:
                yield f"{each.checkout_id} pays {each.payable}"
            left = each.left
            if min(left.card, left.points, left.coupon) < 0:
                yield f"I6: {each.checkout_id} gave back too much: {left}"
        for payment_id, row in self.payments.items():
            promised = [of(back, "amount") for (name, _), back in self.refunds.items() if name == payment_id]
            refused = [
                of(back, "amount")
                for (name, _), back in self.refunds.items()
                if name == payment_id and of(back, "state") == "REFUSED"
            ]
            if sum(promised) - sum(refused) > of(row, "amount"):
                yield f"I6: {promised} given back of {of(row, 'amount')}"
        for payment_id in self.bank.charges:
            if payment_id not in self.payments:
                yield f"{payment_id} was taken and not written down"

    def moves(self) -> Iterator[str]:
        for name, after in self.checkouts.items():
            before = self.was.get(name)
            if after.state in PAID:
                self.paid_since.setdefault(name, len(self.moments))
            if before is not after and before is not None:
                yield from self._moved(name, before, after)
        self.was = dict(self.checkouts)

    def _moved(self, name: str, before: Checkout, after: Checkout) -> Iterator[str]:
        fixed = ("customer_id", "items", "discount", "split", "points_used", "lots", "request")
        problems = {
            f"I9: {name} was {before.state} and is {after.state}": before.state in PAID
            and after.state not in PAID,
            f"I9: {name} changed after its end": before.state in ENDS and after != before,
            f"{name} is another one": any(getattr(before, it) != getattr(after, it) for it in fixed),
            f"I6: {name} forgot a refund": after.refunds[: len(before.refunds)] != before.refunds,
            f"{name} is captured and not paid": after.state in PAID
            and after.payable > 0
            and str(after.payment_id) not in self.bank.charges,
        }
        yield from (problem for problem, is_so in problems.items() if is_so)

    def _remember(self) -> None:
        left = [shard["uses_left"] for shard in self.shards.values() if "uses_left" in shard]
        self.moments.append(
            Moment(
                self.now(),
                self.total("available"),
                sum(left) if left else None,
                of(self.campaign, "state", ""),
                dict(self.uses),
                frozenset(name for name, row in self.coupons.items() if of(row, "state") == "REGISTERED"),
                dict(self.lots),
            )
        )


def _uses_coupon(checkout: Checkout) -> bool:
    """Open, or paid and not all of its discount given back."""
    return checkout.state in OPEN or (checkout.state in PAID and checkout.discount > _back(checkout))


def _back(checkout: Checkout) -> int:
    return sum(back.parts.coupon for back in checkout.refunds)
