"""Whether a wallet is what its movements and holds say it is."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.points.model.errors import EntriesMissing
from chalicelib.points.model.wallet import Change, Movement, Wallet, negative, together, total


class Difference(Struct, frozen=True):
    """`item` is the row to look at, `account` what of it: `expected` by the movements, `found` in the row."""

    item: str
    account: str
    expected: int
    found: int


class Witness(Struct, frozen=True):
    """`differences` is empty when `stored` is `rebuilt`."""

    stored: Wallet
    rebuilt: Wallet
    differences: tuple[Difference, ...]

    @property
    def repair(self) -> Change:
        """Lots and debt as rebuilt. No movement: the movements were right. EntriesMissing when they are not
        all there: a customer would lose what the missing ones brought."""
        if self.rebuilt.entries != self.stored.entries:
            raise EntriesMissing()
        after = replace(self.stored, lots=self.rebuilt.lots, debt=self.rebuilt.debt)
        return Change(self.stored, replace(after, version=self.stored.version + 1))

    @classmethod
    def of(cls, stored: Wallet, movements: Iterable[Movement]) -> "Witness":
        """Of all movements, oldest first. What changed after the wallet was read does not count."""
        known = [movement for movement in movements if movement.no <= stored.entries]
        held = [negative(lots) for lots in stored.held.values()]
        rebuilt = replace(
            stored,
            lots=together(*(movement.lots for movement in known), *held),
            debt=sum(movement.debt for movement in known),
            entries=len(known),
        )
        return cls(stored, rebuilt, (*_of_rows(stored, known), *_of_wallet(stored, rebuilt)))


def _of_rows(stored: Wallet, known: list[Movement]) -> Iterator[Difference]:
    missing = set(range(1, stored.entries + 1)) - {movement.no for movement in known}
    for no in sorted(missing):
        yield Difference(_entry(no), "entries", 1, 0)
    owned = 0
    for movement in known:
        if total(movement.lots) != movement.points:
            yield Difference(_entry(movement.no), "lots", movement.points, total(movement.lots))
        owned += movement.points
        if movement.owned != owned and not missing:
            yield Difference(_entry(movement.no), "owned", owned, movement.owned)
            owned = movement.owned


def _of_wallet(stored: Wallet, rebuilt: Wallet) -> Iterator[Difference]:
    for lot, short in together(rebuilt.lots, negative(stored.lots)):
        found = dict(stored.lots).get(lot, 0)
        yield Difference("WALLET", f"lots/{lot}", found + short, found)
    if stored.debt != rebuilt.debt:
        yield Difference("WALLET", "debt", rebuilt.debt, stored.debt)


def _entry(no: int) -> str:
    return f"ENTRY#{no:010d}"
