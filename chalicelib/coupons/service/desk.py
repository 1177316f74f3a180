"""What every use case of this context has at hand."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from chalicelib.coupons.model import Asked, Boxed, Coupon
from chalicelib.coupons.service.budgets import Budgets
from chalicelib.coupons.service.ports import Store
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import KeyReused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id


def _untold(_campaign_id: str, _batch_id: str) -> Mapping[str, int]:
    return {}


class Desk(Struct, frozen=True):
    """`secret` gives the key of all codes; `budgets.begin` opens a transaction. `texts`: how many of a
    batch's customers were SENT a text, or for which reason were not."""

    store: Store
    budgets: Budgets
    secret: Callable[[], str]
    now: Clock
    new_id: Callable[[str], str]
    texts: Callable[[str, str], Mapping[str, int]] = _untold

    def asked_before(self, asked: Asked) -> bool:
        """KeyReused when the key was used for something else."""
        before = self.store.asked(asked.request_id)
        if before is not None and before.what != asked.what:
            raise KeyReused()
        return before is not None

    def fact(self, type: str, campaign_id: str, data: dict[str, object]) -> Fact:
        return Fact.of(type, "coupons", campaign_id, at=self.now(), id=self.new_id("evt"), data=data)

    def boxed(self, coupon: Coupon) -> Boxed:
        return Boxed(coupon, self.budgets.campaign(coupon.campaign_id), self.now())


def asked_by(by: Caller, key: str, use: str, *of: str) -> Asked:
    """A key belongs to its caller and to one use of it."""
    return Asked(keyed_id("req", by.id, use, key), " ".join(of))
