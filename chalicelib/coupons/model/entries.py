"""What campaigns and checkouts move, as entries of double-entry bookkeeping.

`campaign/<id>/budget` stands against all the rest: what it is below 0 is what the shards' accounts
`campaign/<id>/<shard>/available|reserved|captured` hold together. `captured` is less what was refunded.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.coupons.model.budget import Split
from chalicelib.kernel.money import About, Entry, Leg, Won


def account(campaign_id: str, shard: int, pot: str) -> str:
    return f"campaign/{campaign_id}/{shard}/{pot}"


FROM_AND_TO = {
    "reserved": ("available", "reserved"),
    "captured": ("reserved", "captured"),
    "released": ("reserved", "available"),
    "refunded": ("captured", "available"),
}


def legs(campaign_id: str, split: Split, amount: Won, what: str, into: int | None = None) -> tuple[Leg, ...]:
    """What one checkout moves: `split` adds up to `amount`. `into` is the shard that all of what comes back
    goes to, None when each shard gets its own. Without a split the money was bound in the first shard.
    """
    source, aim = FROM_AND_TO[what]
    if not split:
        return _bound_legs(campaign_id, amount, what, into)
    found = []
    for shard, part in split:
        back_in = into if aim == "available" and into is not None else shard
        found.append((account(campaign_id, shard, source), -part))
        found.append((account(campaign_id, back_in, aim), part))
    return _legs(found)


def _bound_legs(campaign_id: str, amount: Won, what: str, into: int | None) -> tuple[Leg, ...]:
    """A coupon given back before its campaign's end keeps its money bound."""
    source, aim = FROM_AND_TO[what]
    if into is None and aim == "available":
        aim = "reserved"
    if what == "reserved" or source == aim:
        return ()
    return _legs([(account(campaign_id, 0, source), -amount), (account(campaign_id, 0, aim), amount)])


def budgeted(
    campaign_id: str, cause: str, what: str, parts: Sequence[Won], at: datetime, **about: str | int | None
) -> Entry:
    """The budget was made, grew or (below 0) shrank by `parts`, one for each shard."""
    each = [(account(campaign_id, shard, "available"), part) for shard, part in enumerate(parts)]
    return _entry(
        campaign_id, cause, what, [(f"campaign/{campaign_id}/budget", -sum(parts)), *each], at, about
    )


def bound(
    campaign_id: str, cause: str, what: str, amount: Won, at: datetime, **about: str | int | None
) -> Entry:
    """For coupons as they are issued; below 0, what was bound is free again."""
    pots = [(account(campaign_id, 0, "available"), -amount), (account(campaign_id, 0, "reserved"), amount)]
    return _entry(campaign_id, cause, what, pots, at, about)


def moved(campaign_id: str, number: int, available: Sequence[Won], at: datetime) -> Entry:
    """All that the other shards had, into the first one."""
    first, *others = (account(campaign_id, shard, "available") for shard in range(len(available)))
    pots = [
        (first, sum(available[1:])),
        *((name, -part) for name, part in zip(others, available[1:], strict=True)),
    ]
    return _entry(campaign_id, f"moved/{number}", "moved", pots, at, {})


def noted(campaign_id: str, cause: str, what: str, at: datetime, **about: str | int | None) -> Entry:
    """Nothing moved, but it belongs into the book."""
    return _entry(campaign_id, cause, what, (), at, about)


def _entry(
    campaign_id: str, cause: str, what: str, pots: Iterable[tuple[str, Won]], at: datetime, about: About
) -> Entry:
    return Entry(f"{campaign_id}/{cause}", what, campaign_id, at, _legs(pots), about)


def _legs(pots: Iterable[tuple[str, Won]]) -> tuple[Leg, ...]:
    return tuple(Leg(name, amount) for name, amount in pots if amount)
