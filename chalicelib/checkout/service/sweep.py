"""What is due: reservations nobody paid, payments and refunds the gateway has not answered."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from math import inf

from msgspec.structs import replace

from chalicelib.checkout.model import Checkout, Payment, Refund
from chalicelib.checkout.service.captures import Captures
from chalicelib.checkout.service.ports import Due
from chalicelib.checkout.service.releases import Releases
from chalicelib.kernel import deadlines
from chalicelib.kernel.deadlines import SHARDS, Report
from chalicelib.kernel.errors import Busy

GIVES_BACK_SECONDS = 5.0
ASKS_SECONDS = 25.0
"""Nothing is begun with less of a run's time left. Who asks may ask twice: what became of it, and for it."""


class Sweep(Captures, Releases, frozen=True):
    def sweep(self, seconds_left: Callable[[], float] = lambda: inf) -> Report:
        """Reservations of all shards before any question: a silent gateway holds back no coupon and no
        points. Then whatever waited longest is asked for. What the time is too short for stays due."""
        until, questions, given_up = self.now(), list[Payment | Refund](), list[str]()

        def give_back(each: Due) -> bool:
            if not isinstance(each, Checkout):
                questions.append(each)
                return False
            ours = seconds_left() >= GIVES_BACK_SECONDS and self.expire(each.checkout_id)
            if ours and each.payment_id:
                given_up.append(each.payment_id)
            return ours

        def pages(shard: int) -> Iterator[Sequence[Due]]:
            """The first of each shard in any case: it has the oldest."""
            for page in self.store.due(shard, until):
                yield page
                if seconds_left() < GIVES_BACK_SECONDS:
                    return

        report = deadlines.sweep(pages, give_back, shards=_turned(until))
        questions.sort(key=lambda each: each.due_at or until)
        in_time = takewhile(lambda _: seconds_left() >= ASKS_SECONDS, questions)
        answered = sum(self.payments.ring(each, self._follow) for each in in_time)
        for payment_id in takewhile(lambda _: seconds_left() >= ASKS_SECONDS, given_up):
            self._ask_once_more(payment_id)
        return replace(report, claimed=report.claimed + answered)

    def _ask_once_more(self, payment_id: str) -> None:
        """What a card paid for nothing shall not wait for its own timer to go back."""
        payment = self.payments.find(payment_id)
        with suppress(Busy):
            if payment:
                self.payments.resume(payment, self._follow)


def _turned(at: datetime) -> Iterable[int]:
    """All shards, from minute to minute another one first."""
    first = int(at.timestamp()) // 60
    return ((first + each) % SHARDS for each in range(SHARDS))
