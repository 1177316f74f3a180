"""Who may have coupons, and what operations find out and put right about one."""

import re
from collections.abc import Sequence

from chalicelib.coupons import model
from chalicelib.coupons.model import (
    AlreadyDone,
    CodeRefused,
    Coupon,
    CouponMoved,
    Record,
    UnknownCoupon,
    UnknownGroup,
    Voided,
)
from chalicelib.coupons.service.desk import Desk, asked_by
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.tables import Write

GROUP = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_AT_ONCE = 100
TRIES = 5


class People(Desk, frozen=True):
    # --- groups --------------------------------------------------------------------------------------------

    def change_group(self, name: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Whoever is in or out already stays so; what a crash leaves undone, a repetition does.
        UnknownGroup, TooManyGroups."""
        if not GROUP.fullmatch(name):
            raise UnknownGroup()
        for joins, customers in ((True, add), (False, remove)):
            them = list(dict.fromkeys(customers))
            for first in range(0, len(them), MOST_AT_ONCE):
                self.store.change_group(name, them[first : first + MOST_AT_ONCE], joins=joins)

    # --- one coupon ----------------------------------------------------------------------------------------

    def find(self, code: str | None = None, coupon_id: str | None = None) -> Record:
        """UnknownCoupon."""
        record = self.store.record(self._hash(code, coupon_id))
        if record is None or (coupon_id is not None and record.coupon.coupon_id != coupon_id):
            raise UnknownCoupon()
        return record

    def of_customer(
        self, customer_id: str, limit: int = 50, after: str | None = None
    ) -> tuple[list[Record], str | None]:
        """By coupon id, after that one; and the id to go on after, None at the end."""
        return self.store.records(customer_id, limit, after)

    def void(self, coupon_id: str, reason: str, by: Caller, key: str) -> Done[Record]:
        """It can never be used; what was bound for it goes back to the budget. CouponUsed."""
        asked = asked_by(by, key, "void", coupon_id, reason)
        for _ in range(TRIES):
            before = self.find(coupon_id=coupon_id)
            if self.asked_before(asked) or before.voided is not None:
                return Done(before, replayed=True)
            before.coupon.refuse_void()
            done = Voided(self.now(), by.id, reason)
            write = self.budgets.begin()
            self.store.void(write, before.coupon, done, asked, self._void_fact(before.coupon))
            self._add_unbinding(write, before.coupon)
            try:
                write.commit()
                return Done(self.find(coupon_id=coupon_id))
            except (AlreadyDone, CouponMoved):
                continue
        raise CouponMoved()

    def _add_unbinding(self, write: Write, coupon: Coupon) -> None:
        if coupon.worth:
            campaign = self.budgets.current(coupon.campaign_id)
            self.budgets.unbind(write, campaign, coupon.worth, 1, f"void/{coupon.code_hash}")

    def _void_fact(self, coupon: Coupon) -> Fact:
        about: dict[str, object] = {"campaign_id": coupon.campaign_id, "coupon_id": coupon.coupon_id}
        return self.fact("CouponVoided", coupon.coupon_id, about)

    def _hash(self, code: str | None, coupon_id: str | None) -> str:
        if coupon_id is not None:
            return model.parts_of(coupon_id)[1]
        try:
            return model.hash_of(self.secret(), model.read_code(code or ""))
        except CodeRefused:
            raise UnknownCoupon() from None
