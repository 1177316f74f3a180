"""The store of points in memory: the same promises as `chalicelib.points.store`, in dictionaries."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from chalicelib.kernel.deadlines import shard_of
from chalicelib.kernel.facts import Fact
from chalicelib.points.model import (
    AlreadyBooked,
    Birthday,
    Booked,
    Change,
    Conversion,
    Due,
    Earning,
    MovedOn,
    Movement,
    Proposal,
    Wallet,
    WalletMoved,
)
from tests.memory import MemoryWrite


class MemoryPoints:
    def __init__(self) -> None:
        self.wallets: dict[str, Wallet] = {}
        self.rows: defaultdict[str, dict[int, Movement]] = defaultdict(dict)
        self.causes: dict[str, Booked] = {}
        self.proposals: dict[str, Proposal] = {}
        self.earnings: dict[str, Earning] = {}
        self.birthdays: dict[str, Birthday] = {}
        self.done: date | None = None
        self.conversions: dict[str, Conversion] = {}
        self.facts: list[Fact] = []

    def wallet(self, customer_id: str) -> Wallet:
        return self.wallets.get(customer_id, Wallet(customer_id))

    def change(self, write: MemoryWrite, change: Change) -> None:
        name = change.after.customer_id

        def then() -> None:
            self.wallets[name] = change.after
            self.rows[name] |= {movement.no: movement for movement in change.movements}

        def as_read() -> bool:
            new = self.rows[name].keys().isdisjoint(movement.no for movement in change.movements)
            return new and self.wallet(name).version == change.before.version

        write.clause(holds=as_read, then=then, otherwise=WalletMoved)

    def once(self, write: MemoryWrite, booked: Booked) -> None:
        write.clause(
            holds=lambda: booked.cause not in self.causes,
            then=lambda: self.causes.update({booked.cause: booked}),
            otherwise=AlreadyBooked,
        )

    def booked(self, cause: str) -> Booked | None:
        return self.causes.get(cause)

    def movements(self, customer_id: str, limit: int, before: int | None) -> Sequence[Movement]:
        found = sorted(self.rows[customer_id].items(), reverse=True)
        return [movement for no, movement in found if before is None or no < before][:limit]

    def publish(self, write: MemoryWrite, fact: Fact) -> None:
        write.fact(self.facts, fact)

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Due]]:
        wallets = [Due(name, it.due_at) for name, it in self.wallets.items() if it.due_at]
        asked = [Due(name, it.due_at, conversion=True) for name, it in self.conversions.items() if it.due_at]
        yield [it for it in wallets + asked if it.due_at <= until and shard_of(it.id) == str(shard)]

    def earning(self, checkout_id: str) -> Earning | None:
        return self.earnings.get(checkout_id)

    def earn(self, write: MemoryWrite, before: Earning | None, after: Earning) -> None:
        name, seen = after.checkout_id, before.changes if before else None

        def as_read() -> bool:
            here = self.earnings.get(name)
            return (here.changes if here else None) == seen

        write.clause(holds=as_read, then=lambda: self.earnings.update({name: after}), otherwise=WalletMoved)

    def propose(self, proposal: Proposal) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: proposal.grant_id not in self.proposals,
            then=lambda: self.proposals.update({proposal.grant_id: proposal}),
            otherwise=AlreadyBooked,
        )
        write.commit()

    def proposal(self, grant_id: str) -> Proposal | None:
        return self.proposals.get(grant_id)

    def birthday(self, customer_id: str) -> Birthday | None:
        return self.birthdays.get(customer_id)

    def declare(self, before: Birthday | None, after: Birthday) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.birthdays.get(after.customer_id) == before,
            then=lambda: self.birthdays.update({after.customer_id: after}),
            otherwise=MovedOn,
        )
        write.commit()

    def born(self, name: str) -> Iterator[str]:
        yield from [who for who, birthday in self.birthdays.items() if birthday.name == name]

    def celebrated(self) -> date | None:
        return self.done

    def celebrate(self, before: date | None, day: date) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.done == before, then=lambda: setattr(self, "done", day), otherwise=MovedOn
        )
        write.commit()

    def open(self, write: MemoryWrite, conversion: Conversion) -> None:
        write.clause(
            holds=lambda: conversion.conversion_id not in self.conversions,
            then=lambda: self._put(conversion),
            otherwise=AlreadyBooked,
        )

    def conversion(self, conversion_id: str) -> Conversion | None:
        return self.conversions.get(conversion_id)

    def end(self, write: MemoryWrite, after: Conversion) -> None:
        write.clause(
            holds=lambda: self.conversions[after.conversion_id].open,
            then=lambda: self._put(after),
            otherwise=MovedOn,
        )

    def mark(self, before: Conversion, after: Conversion) -> None:
        write = MemoryWrite()
        write.clause(
            holds=lambda: self.conversions[before.conversion_id].due_at == before.due_at,
            then=lambda: self._put(after),
            otherwise=MovedOn,
        )
        write.commit()

    def _put(self, conversion: Conversion) -> None:
        self.conversions[conversion.conversion_id] = conversion
