"""What one movement does to each shard of a budget."""

from collections import defaultdict

from msgspec import Struct
from msgspec.structs import asdict, replace

from chalicelib.coupons.model.budget import Shard, Split
from chalicelib.kernel.money import Won


class Move(Struct, frozen=True):
    """What a shard's pots get, or (below 0) give."""

    available: Won = 0
    reserved: Won = 0
    captured: Won = 0
    refunded: Won = 0
    uses_left: int = 0
    uses_reserved: int = 0
    uses_captured: int = 0
    uses_refunded: int = 0

    def and_also(self, other: "Move") -> "Move":
        return Move(**{pot: amount + getattr(other, pot) for pot, amount in asdict(self).items()})

    @property
    def pots(self) -> dict[str, int]:
        return {pot: amount for pot, amount in asdict(self).items() if amount}

    def applied(self, shard: Shard) -> Shard:
        return replace(shard, **{pot: getattr(shard, pot) + amount for pot, amount in self.pots.items()})


Moves = dict[int, Move]


class Plan:
    """Movements of one transaction, added up by shard: no row may be named twice in it.

    `limited`: the campaign's uses are, so that they come from somewhere and go back there.
    """

    def __init__(self, *, limited: bool) -> None:
        self._limited = limited
        self._moves: Moves = defaultdict(Move)

    def held(self, split: Split) -> Moves:
        for shard, part in split:
            self._add(shard, available=-part, reserved=part)
        for shard, _ in split[:1]:
            self._add(shard, uses_left=-1, uses_reserved=1)
        return self._moves

    def captured(self, split: Split) -> Moves:
        for shard, part in split:
            self._add(shard, reserved=-part, captured=part)
        for shard, _ in split[:1]:
            self._add(shard, uses_reserved=-1, uses_captured=1)
        return self._moves

    def released(self, split: Split, into: int | None) -> Moves:
        """`into`: the shard that gets all of it; None when each gets its own."""
        for shard, part in split:
            self._add(shard, reserved=-part)
            self._add(shard if into is None else into, available=part)
        for shard, _ in split[:1]:
            self._add(shard, uses_reserved=-1)
            self._add(shard if into is None else into, uses_left=1)
        return self._moves

    def refunded(self, split: Split, into: int | None, *, whole: bool) -> Moves:
        """`split` is the part that comes back now; its use comes back with the last of it."""
        for shard, part in split:
            self._add(shard, refunded=part)
            self._add(shard if into is None else into, available=part)
        if whole:
            for shard, _ in split[:1]:
                self._add(shard, uses_refunded=1)
                self._add(shard if into is None else into, uses_left=1)
        return self._moves

    # --- coupons that had their money from the day they were issued, all of it in the first shard ----------

    def bound(self, amount: Won, count: int) -> Moves:
        """Below 0: free again."""
        self._add(0, available=-amount, reserved=amount, uses_left=-count, uses_reserved=count)
        return self._moves

    def bound_captured(self, amount: Won) -> Moves:
        self._add(0, reserved=-amount, captured=amount, uses_reserved=-1, uses_captured=1)
        return self._moves

    def bound_refunded(self, amount: Won, *, free: bool, whole: bool) -> Moves:
        """Back to the coupon, or to the budget (`free`) when nobody can use the coupon any more."""
        if free:
            self._add(0, refunded=amount, available=amount, uses_refunded=int(whole), uses_left=int(whole))
        else:
            self._add(0, refunded=amount, reserved=amount, uses_refunded=int(whole), uses_reserved=int(whole))
        return self._moves

    def _add(self, shard: int, **pots: int) -> None:
        if not self._limited:
            pots.pop("uses_left", None)
        if any(pots.values()):
            self._moves[shard] = self._moves[shard].and_also(Move(**pots))
