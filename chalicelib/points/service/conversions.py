"""Points taken to a partner: out of the wallet first, and put back when the partner refuses."""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.ids import keyed_id
from chalicelib.points.model import (
    NO_ANSWER,
    AlreadyBooked,
    Conversion,
    ConversionState,
    Draw,
    MovedOn,
    NoCarYet,
    PartnerRefused,
    TooManyConversions,
    Unanswered,
    UnknownConversion,
    Wallet,
    What,
    Wish,
    partner_named,
)
from chalicelib.points.service.ports import ConversionStore, PartnerOffice
from chalicelib.points.service.wallets import PointService

LONGEST_ID = 64
HOUR = timedelta(hours=1)
MOST_IN_AN_HOUR = 10
"""Points a partner refuses come back at once: without a limit its members' numbers could be tried out."""
LOOKED_AT = 50
"""Of the newest entries: conversions of an hour, their returns, and some others."""


class ConversionService(Struct, frozen=True):
    """Whatever breaks off where, points are with the partner or in the wallet, once."""

    store: ConversionStore
    points: PointService
    office: PartnerOffice
    now: Clock

    def convert(self, wish: Wish, customer_id: str, key: str) -> Done[Conversion]:
        """DONE, REFUSED, or PENDING while the partner has not answered: the sweep settles that. NoCarYet:
        what a payment has earned is taken back when it is cancelled, but not from a partner."""
        conversion_id = keyed_id("cnv", customer_id, key)
        known = self.store.conversion(conversion_id)
        if known is None:
            gives = partner_named(wish.partner_id).worth(wish.points)
            if not self.points.had_a_car(customer_id):
                raise NoCarYet()
            asked = Conversion(
                conversion_id=conversion_id,
                customer_id=customer_id,
                partner_id=wish.partner_id,
                account=wish.account,
                points=wish.points,
                gives=gives,
                request=wish.request,
                asked_at=self.now(),
            )
            try:
                opened = self._open(asked)
                return Done(self._asked(opened, lambda: self._send(opened)))
            except AlreadyBooked:
                known = self._conversion(conversion_id)
        if known.request != wish.request:
            raise KeyReused()
        return Done(known, replayed=True)

    def conversion(self, conversion_id: str, customer_id: str) -> Conversion:
        known = self.store.conversion(conversion_id) if len(conversion_id) <= LONGEST_ID else None
        if known is None or known.customer_id != customer_id:
            raise UnknownConversion()
        return known

    def ring(self, conversion_id: str) -> bool:
        """Takes up one whose time has come, unless somebody else just did."""
        at, seen = self.now(), self._conversion(conversion_id)
        if seen.due_at is None or seen.due_at > at:
            return False
        rung = seen.rung_at(at)
        try:
            self.store.mark(seen, rung)
            self._asked(rung, lambda: self._found(rung))
        except MovedOn:
            return False
        except Busy:
            pass  # it is still open, and its next time is set
        return True

    def _open(self, asked: Conversion) -> Conversion:
        def attempt(wallet: Wallet, draw: Draw) -> Conversion:
            self._refuse_too_many(asked)
            opened, write = asked.drawn(draw), self.points.begin()
            self.store.open(write, opened)
            change = wallet.converted(draw, asked.conversion_id, asked.asked_at)
            self.points.store.change(write, change)
            write.commit()
            return opened

        return self.points.spending(asked.customer_id, asked.points, attempt)

    def _refuse_too_many(self, asked: Conversion) -> None:
        """Exact, since each conversion changes the wallet that this one is about to change."""
        newest = self.points.entries(asked.customer_id, LOOKED_AT)
        recent = [each for each in newest if each.entry.at > asked.asked_at - HOUR]
        if sum(each.entry.what == What.CONVERTED for each in recent) >= MOST_IN_AN_HOUR:
            raise TooManyConversions(retry_after=int(HOUR.total_seconds()))

    def _found(self, conversion: Conversion) -> bool:
        """Whether the partner has the points by now. What it never heard of is sent again, for some time."""
        if self.office.find(conversion.partner_id, conversion.conversion_id):
            return True
        if conversion.lost:
            raise PartnerRefused(NO_ANSWER)
        return conversion.may_be_sent and self._send(conversion)

    def _send(self, conversion: Conversion) -> bool:
        self.office.transfer(
            conversion.partner_id, conversion.conversion_id, conversion.account, conversion.gives
        )
        return True

    def _asked(self, conversion: Conversion, ask: Callable[[], bool]) -> Conversion:
        try:
            if not ask():
                return conversion
            after = conversion.done()
        except PartnerRefused as refusal:
            after = conversion.refused(refusal.reason)
        except Unanswered:
            return conversion
        try:
            self._settle(conversion, after)
        except MovedOn:
            return self._conversion(conversion.conversion_id)
        return after

    def _settle(self, before: Conversion, after: Conversion) -> None:
        if after.state is ConversionState.DONE:
            write = self.points.begin()
            self.store.end(write, after)
            write.commit()
            return

        def put_back(wallet: Wallet) -> None:
            write = self.points.begin()
            self.store.end(write, after)
            change = wallet.not_converted(before.draw, before.conversion_id, self.now())
            self.points.store.change(write, change)
            write.commit()

        self.points.changing(before.customer_id, put_back)

    def _conversion(self, conversion_id: str) -> Conversion:
        known = self.store.conversion(conversion_id)
        assert known is not None
        return known
