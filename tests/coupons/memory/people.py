"""Groups of customers, and all that is known of one coupon, in memory."""

from collections.abc import Sequence

from msgspec.structs import replace

from chalicelib.coupons.model import Asked, Coupon, Record, TooManyGroups, Voided
from chalicelib.kernel.facts import Fact
from tests.coupons.memory.box import MemoryBox
from tests.memory import LOCK, MemoryWrite

MOST_GROUPS = 50


class MemoryPeople(MemoryBox):
    def change_group(self, name: str, customers: Sequence[str], *, joins: bool) -> None:
        with LOCK:
            before = self.groups(customers)
            if joins and any(name not in now and len(now) >= MOST_GROUPS for now in before.values()):
                raise TooManyGroups()
            for customer, now in before.items():
                self.members[customer] = now | {name} if joins else now - {name}

    def groups(self, customers: Sequence[str]) -> dict[str, frozenset[str]]:
        return {customer: self.members.get(customer, frozenset()) for customer in customers}

    def record(self, code_hash: str) -> Record | None:
        coupon = self.coupons.get(code_hash)
        if coupon is None:
            return None
        tried = tuple(sorted(self.tried.get(code_hash, {}).values()))
        return replace(self.records_of.get(code_hash, Record(coupon)), coupon=coupon, tried=tried)

    def records(self, owner: str, limit: int, after: str | None) -> tuple[list[Record], str | None]:
        coupons, last = self.owned(owner, limit, after)
        return [found for each in coupons if (found := self.record(each.code_hash))], last

    def void(self, write: MemoryWrite, coupon: Coupon, done: Voided, asked: Asked, fact: Fact) -> None:
        self.add_asked(write, asked)
        self.add_void(write, coupon, done)
        write.fact(self.facts, fact)
