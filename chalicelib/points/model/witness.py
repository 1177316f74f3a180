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
    """`differences` is empty when `stored` is `rebuilt`. `whole`: all entries are there."""

    stored: Wallet
    rebuilt: Wallet
    whole: bool
    differences: tuple[Difference, ...]

    def repair(self, account: str) -> Change:
        """What `account` of the wallet names, as rebuilt, and nothing else: each difference has a repair of
        its own. No movement: the movements were right. EntriesMissing when they are not all there: a
        customer would lose what the missing ones brought."""
        if not self.whole:
            raise EntriesMissing()
        what, _, lot = account.partition("/")
        wrong = together(self.rebuilt.lots, negative(self.stored.lots)) if what == "lots" else ()
        lots = together(self.stored.lots, tuple(each for each in wrong if each[0] == lot))
        same = {} if what == "lots" else {what: getattr(self.rebuilt, what)}
        return Change(self.stored, replace(self.stored, lots=lots, version=self.stored.version + 1, **same))

    @classmethod
    def of(cls, stored: Wallet, movements: Iterable[Movement], last: int) -> "Witness":
        """Of all movements, oldest first, up to the number `last`."""
        known = [movement for movement in movements if movement.no <= last]
        held = [negative(lots) for lots in stored.held.values()]
        rebuilt = replace(
            stored,
            lots=together(*(movement.lots for movement in known), *held),
            debt=sum(movement.debt for movement in known),
            entries=last,
        )
        wrong = (*_of_rows(last, known), *_of_wallet(stored, rebuilt))
        return cls(stored, rebuilt, len(known) == last, wrong)


def _of_rows(last: int, known: list[Movement]) -> Iterator[Difference]:
    missing = set(range(1, last + 1)) - {movement.no for movement in known}
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
    for account in ("debt", "entries"):
        expected, found = getattr(rebuilt, account), getattr(stored, account)
        if expected != found:
            yield Difference("WALLET", account, expected, found)


def _entry(no: int) -> str:
    return f"ENTRY#{no:010d}"
