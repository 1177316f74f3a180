"""Points for what customers do, each once by its cause, driven by facts, by the day, and by operations."""

from collections.abc import Callable, Iterator
from datetime import date, datetime

from msgspec import Struct

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import Busy, KeyReused
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.money import About, Won
from chalicelib.points.model import (
    AWARDS,
    EARNED_MONTHS,
    GRANTED_MONTHS,
    AlreadyBooked,
    Birthday,
    Booked,
    Change,
    Earning,
    Grant,
    Kind,
    MovedOn,
    Wallet,
    What,
    born_on,
    days_to_celebrate,
    first_car,
    lot_for,
    lot_until,
)
from chalicelib.points.service.ports import AwardStore, Contracts
from chalicelib.points.service.wallets import PointService


class AwardService(Struct, frozen=True):
    """Whoever hears the same twice, at once or years apart, changes nothing the second time."""

    store: AwardStore
    points: PointService
    contracts: Contracts
    now: Clock

    def activated(self, contract_id: str) -> None:
        """A customer's first car: the award for signing up cannot be had for a signature alone."""
        customer_id = self.contracts.rental(contract_id).customer_id
        self._award(customer_id, What.SIGNED_UP, first_car(customer_id))

    def returned(self, contract_id: str, at: datetime) -> None:
        rental = self.contracts.rental(contract_id)
        if rental.return_at is not None and at <= rental.return_at:
            self._award(rental.customer_id, What.RETURNED_IN_TIME, f"returned/{contract_id}")

    def captured(self, checkout_id: str, customer_id: str, paid: Won) -> None:
        """`paid`: by card; nothing comes of nothing."""
        if not paid:
            return

        def captured(earning: Earning) -> Earning:
            lot = earning.lot or lot_for(EARNED_MONTHS, Kind.EARNED, self.now())
            return earning.captured(paid, lot)

        self._earn(checkout_id, customer_id, f"earn/{checkout_id}", captured)

    def refunded(self, checkout_id: str, customer_id: str, refund_id: str, card: Won) -> None:
        """In proportion, to the last point with the last won."""
        if card:
            cause = f"clawback/{checkout_id}/{refund_id}"
            self._earn(checkout_id, customer_id, cause, lambda earning: earning.refunded(refund_id, card))

    def _earn(
        self, checkout_id: str, customer_id: str, cause: str, heard: Callable[[Earning], Earning]
    ) -> None:
        def attempt(wallet: Wallet) -> None:
            before = self.store.earning(checkout_id)
            after = heard(before or Earning(checkout_id, customer_id))
            if after.changes == (before.changes if before else 0):
                return  # it was heard before
            write = self.points.begin()
            self.store.earn(write, before, after.settled())
            change = self._earned(wallet, after, cause)
            if change is not None:
                self.points.store.change(write, change)
            write.commit()

        self.points.changing(customer_id, attempt)

    def _earned(self, wallet: Wallet, earning: Earning, cause: str) -> Change | None:
        more, about = earning.owed - earning.given, {"checkout_id": earning.checkout_id}
        if more > 0:
            return wallet.granted(more, earning.lot, cause, What.EARNED, self.now(), {**about})
        if more < 0:
            return wallet.clawed_back(-more, earning.lot, cause, self.now(), {**about})
        return None

    def _award(self, customer_id: str, what: What, cause: str) -> None:
        award = AWARDS[what]
        lot = lot_for(award.months, Kind.GIVEN, self.now())
        self._once(Booked(cause), customer_id, award.points, lot, what, {})

    def _once(
        self, booked: Booked, customer_id: str, points: int, lot: str, what: What, about: About
    ) -> bool:
        """Whether it was given now."""

        def attempt(wallet: Wallet) -> bool:
            write = self.points.begin()
            self.points.store.once(write, booked)
            change = wallet.granted(points, lot, booked.cause, what, self.now(), about)
            self.points.store.change(write, change)
            write.commit()
            return True

        try:
            return self.points.changing(customer_id, attempt)
        except AlreadyBooked:
            return False

    # --- by hand -------------------------------------------------------------------------------------------

    def grant(self, grant: Grant, staff: str, key: str) -> Done[Booked]:
        """Who gave it and why stands in its entry. LastsTooLong."""
        at, cause = self.now(), f"grant/{keyed_id('pgr', staff, key)}"
        known = self.points.store.booked(cause)
        if known is None:
            given = lot_until(grant.until, at) if grant.until else lot_for(GRANTED_MONTHS, Kind.GIVEN, at)
            booked = Booked(cause, grant.request, given)
            about: About = {"reason": grant.reason, "staff": staff}
            if self._once(booked, grant.customer_id, grant.points, given, What.GRANTED, about):
                return Done(booked)
            known = self.points.store.booked(cause)
        if known is None or known.request != grant.request:
            raise KeyReused()
        return Done(known, replayed=True)

    # --- birthdays -----------------------------------------------------------------------------------------

    def birthday(self, customer_id: str) -> Birthday | None:
        return self.store.birthday(customer_id)

    def declare(self, customer_id: str, month: int, day: int) -> Birthday:
        """BirthdayFixed when it was changed within the last year."""
        at, before = self.now(), self.store.birthday(customer_id)
        after = before.to(month, day, at) if before else Birthday(customer_id, month, day, at)
        if after != before:
            self.store.declare(before, after)
        return after

    def celebrate(self) -> int:
        """Today's birthdays, and those of the days that were missed, of all who ever had a car; once in a
        calendar year for each. One wallet that others hold keeps nobody waiting, but the day is not done
        before it was its turn: Busy."""
        done, count = self.store.celebrated(), 0
        for day in days_to_celebrate(done, self.now().astimezone(KST).date()):
            left = 0
            for customer_id in self._born(day):
                try:
                    self._award(customer_id, What.BIRTHDAY, f"birthday/{customer_id}/{day.year}")
                    count += 1
                except Busy:
                    left += 1
            if left:
                raise Busy(f"{left} birthdays are left")
            try:
                self.store.celebrate(done, day)
            except MovedOn:
                return count  # another run is at it
            done = day
        return count

    def _born(self, day: date) -> Iterator[str]:
        everybody = (who for name in born_on(day) for who in self.store.born(name))
        return (who for who in everybody if self.points.had_a_car(who))
