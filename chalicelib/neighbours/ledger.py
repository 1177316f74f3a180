"""What the ledger knows of checkouts, budgets, coupons and points."""

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.money import Unbalanced
from chalicelib.ledger.model import Balance, Counted, Counts, Difference, Found, Held, Pot, Purse, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from chalicelib.checkout.model import Checkout
    from chalicelib.checkout.service import CheckoutService
    from chalicelib.coupons.service import CouponService
    from chalicelib.kernel.money import Entry
    from chalicelib.kernel.tables import Write
    from chalicelib.ledger.model import Repairable
    from chalicelib.points.service import PointService


class CheckoutsOfLedger(Struct, frozen=True):
    """Records as the books are read against them."""

    checkout: "Callable[[], CheckoutService]"

    def records(self, checkout_ids: "Collection[str]") -> "dict[str, Record]":
        return {each.checkout_id: self._record(each) for each in self.checkout().records(checkout_ids)}

    def unfinished(self) -> "list[tuple[str, str]]":
        pages = self.checkout().unfinished()
        return [(each.campaign_id or "-", each.checkout_id) for page in pages for each in page]

    def _record(self, found: "Checkout") -> "Record":
        return Record(
            found.checkout_id,
            found.campaign_id or "-",
            found.customer_id,
            found.order_id,
            found.coupon_id,
            found.state.value,
            found.has_coupon,
            found.reserved_at,
            self._entries(found),
            tuple(self._odd(found)),
            tuple(self._counted(found)),
        )

    def _counted(self, found: "Checkout") -> "Iterator[str]":
        """The first of the shards that pay it counts it."""
        from chalicelib.checkout.model import State

        pots = {State.RESERVED: "uses_reserved", State.CAPTURED: "uses_captured"}
        pots[State.CAPTURING] = pots[State.RESERVED]
        if found.split and found.has_coupon:
            yield f"campaign/{found.campaign_id}/{found.split[0][0]}/{pots[found.state]}"
            yield f"campaign/{found.campaign_id}/uses"

    def _odd(self, found: "Checkout") -> "Iterator[tuple[str, int | str | None, int | str | None]]":
        """Fields that follow from others of the same record."""
        from chalicelib.checkout.model import State

        if found.split and sum(won for _, won in found.split) != found.discount:
            yield "discount", sum(won for _, won in found.split), found.discount
        if sum(points for _, points in found.lots) != found.points_used:
            yield "points_used", sum(points for _, points in found.lots), found.points_used
        waits = found.payment_id is not None
        if found.state in (State.RESERVED, State.CAPTURING) and waits != (found.state is State.CAPTURING):
            yield "state", State.CAPTURING if waits else State.RESERVED, found.state.value
        spent = found.left.total == 0 and bool(found.refunds)
        if found.state in (State.CAPTURED, State.REFUNDED) and spent != (found.state is State.REFUNDED):
            yield "state", State.REFUNDED if spent else State.CAPTURED, found.state.value

    def _entries(self, found: "Checkout") -> "tuple[Entry, ...]":
        """None of a record that contradicts itself: then all that the books say of it is missing in it."""
        try:
            return tuple(entry for entry in self.checkout().entries_of(found) if entry.legs)
        except (AssertionError, IndexError, KeyError, NotFound, ValueError, Unbalanced):
            return ()


class CountersOfLedger(Struct, frozen=True):
    """Budgets, coupons, uses and wallets as their own rows tell them."""

    campaigns: "Callable[[], CouponService]"
    wallets: "Callable[[], PointService]"

    def budget(self, campaign_id: str) -> "list[Counted]":
        from chalicelib.coupons.model import UnknownCampaign

        try:
            seen = self.campaigns().status(campaign_id)
        except UnknownCampaign:
            return []
        limit = {f"campaign/{campaign_id}/budget": -seen.campaign.budget}
        found = [Counted(f"campaign CAMPAIGN#{campaign_id}", limit)]
        for number, shard in enumerate(seen.shards):
            account = f"campaign/{campaign_id}/{number}"
            holds = {
                f"{account}/available": shard.available,
                f"{account}/reserved": shard.reserved,
                f"{account}/captured": shard.captured - shard.refunded,
            }
            found.append(Counted(f"shard SHARD#{campaign_id}#{number}", holds))
        return found

    def counts(self, campaign_id: str) -> "Counts":
        from chalicelib.coupons.model import Switch

        seen = self.campaigns().status(campaign_id)
        row = f"campaign CAMPAIGN#{campaign_id}"
        states, uses = {row: seen.campaign.state.value}, []
        for number, shard in enumerate(seen.shards):
            name, account = f"shard SHARD#{campaign_id}#{number}", f"campaign/{campaign_id}/{number}"
            if shard.state is not Switch.MERGED:
                states[name] = shard.state.value
            holds = {
                f"{account}/uses_reserved": shard.uses_reserved,
                f"{account}/uses_captured": shard.uses_captured - shard.uses_refunded,
            }
            uses.append(Counted(name, holds))
        if seen.campaign.uses is not None and seen.uses_left is not None:
            uses.append(Counted(row, {f"campaign/{campaign_id}/uses": seen.campaign.uses - seen.uses_left}))
        return Counts(() if seen.campaign.terms.bound else tuple(uses), states)

    def coupons(self, coupon_ids: "Collection[str]") -> "dict[str, Held]":
        from chalicelib.coupons.model import State

        names, found = sorted(coupon_ids), {}
        for start in range(0, len(names), 100):
            for each in self.campaigns().coupons_by_id(names[start : start + 100]):
                found[each.coupon_id] = Held(each.state is State.USED, each.used_by)
        return found

    def uses(self, campaign_id: str, customer_ids: "Collection[str]") -> "dict[str, int]":
        """Whoever has no row of a campaign that counts them has used none, or has lost it."""
        from chalicelib.coupons.model import UnknownCampaign

        names = sorted(customer_ids)
        with suppress(UnknownCampaign):
            counted = self.campaigns().status(campaign_id).campaign.terms.per_user_limit is not None
            found = dict.fromkeys(names if counted else (), 0)
            for start in range(0, len(names), 100):
                found |= self.campaigns().used(campaign_id, names[start : start + 100])
            return found
        return {}

    def purse(self, customer_id: str) -> "Purse":
        witness = self.wallets().witness(customer_id)
        held = {name: sum(each for _, each in lots) for name, lots in witness.stored.held.items()}
        wrong = tuple(
            Difference(
                f"wallet {customer_id} {each.item}",
                each.account,
                each.expected,
                each.found,
                each.found - each.expected,
            )
            for each in witness.differences
        )
        return Purse(customer_id, held, wrong)

    def correct(self, write: "Write", counter: "Repairable", difference: "Difference") -> None:
        if isinstance(counter, Pot):
            self._correct_pot(write, counter, int(difference.found or 0), -difference.amount)
        elif difference not in self.purse(counter.customer_id).wrong:
            raise Conflict()
        else:
            witness = self.wallets().witness(counter.customer_id)
            self.wallets().repair(write, witness, difference.account)

    def _correct_pot(self, write: "Write", pot: "Pot", found: int, amount: int) -> None:
        """Captured and refunded are two columns; what the books call captured is their difference."""
        shard = self.campaigns().status(pot.campaign_id).shards[pot.shard]
        more = shard.refunded if pot.pot == "captured" else 0
        if getattr(shard, pot.pot) - more != found:
            raise Conflict()
        self.campaigns().repair(
            write,
            campaign_id=pot.campaign_id,
            shard=pot.shard,
            pot=pot.pot,
            found=found + more,
            amount=amount,
        )


class CouponsOfLedger(Struct, frozen=True):
    coupons: "Callable[[], CouponService]"

    def by_code(self, code: str) -> "Found | None":
        return self._found(code=code)

    def by_id(self, coupon_id: str) -> "Found | None":
        return self._found(coupon_id=coupon_id)

    def _found(self, code: str | None = None, coupon_id: str | None = None) -> "Found | None":
        from chalicelib.coupons.model import UnknownCoupon

        try:
            each = self.coupons().find(code, coupon_id).coupon
        except UnknownCoupon:
            return None
        return Found(each.coupon_id, each.state.value, each.owner, each.used_by)


class PointsOfLedger(Struct, frozen=True):
    points: "Callable[[], PointService]"

    def standing(self, customer_id: str) -> "Balance":
        found = self.points().standing(customer_id)
        return Balance(found.balance, found.held, found.debt)
