"""Points for what customers do, each once by its cause, driven by facts, by the day, and by operations."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta

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
    MOST_ALONE,
    AlreadyBooked,
    Birthday,
    Booked,
    Change,
    Earning,
    Given,
    Grant,
    Kind,
    MovedOn,
    NotAlone,
    Proposal,
    UnknownGrant,
    Wallet,
    What,
    born_on,
    days_to_celebrate,
    first_car,
    given_alone,
    lot_for,
    lot_until,
)
from chalicelib.points.service.ports import AwardStore, Contracts
from chalicelib.points.service.wallets import PointService

DAY = timedelta(days=1)
LOOKED_AT = 100
"""Of the newest entries, for what was given in a day."""


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

        def attempt(wallet: Wallet) -> None:
            self._book(wallet, Booked(cause), award.points, lot, what, {})

        with suppress(AlreadyBooked):
            self.points.changing(customer_id, attempt)

    def _book(self, wallet: Wallet, booked: Booked, points: int, lot: str, what: What, about: About) -> None:
        write = self.points.begin()
        self.points.store.once(write, booked)
        change = wallet.granted(points, lot, booked.cause, what, self.now(), about)
        self.points.store.change(write, change)
        write.commit()

    # --- by hand -------------------------------------------------------------------------------------------

    def grant(self, grant: Grant, staff: str, key: str) -> Done[Given]:
        """Who gave it and why stands in its entry. What one person does not give alone waits for another,
        who approves it. LastsTooLong."""
        grant_id = keyed_id("pgr", staff, key)
        known = self._known(grant_id)
        if known is None:
            try:
                return Done(self._give(grant_id, grant, {"staff": staff}))
            except AlreadyBooked:
                pass
            except NotAlone:
                if self._propose(Proposal(grant_id, grant, staff, self.now())):
                    return Done(Given(grant_id, grant.request))
            known = self._known(grant_id)
        if known is None or known.request != grant.request:
            raise KeyReused()
        return Done(known, replayed=True)

    def approve(self, grant_id: str, customer_id: str, points: int, by: str) -> Done[tuple[Grant, Given]]:
        """By a second person, who says what it is that they approve. OwnGrant, UnknownGrant, LastsTooLong."""
        asked = self.store.proposal(grant_id)
        if asked is None:
            raise UnknownGrant()
        known = self._known(grant_id)
        if known is None or not known.lot:
            asked.approve(customer_id, points, by, self.now())
            with suppress(AlreadyBooked):
                about: About = {"staff": asked.by, "approved_by": by}
                return Done((asked.grant, self._give(grant_id, asked.grant, about)))
            known = self._known(grant_id)
        assert known is not None
        return Done((asked.grant, known), replayed=True)

    def _propose(self, proposal: Proposal) -> bool:
        """False when it was asked for, or given, before."""
        if self._known(proposal.grant_id) is not None:
            return False
        with suppress(AlreadyBooked):
            self.store.propose(proposal)
            return True
        return False

    def _known(self, grant_id: str) -> Given | None:
        booked = self.points.store.booked(f"grant/{grant_id}")
        if booked is not None:
            return Given(grant_id, booked.request, booked.lot)
        asked = self.store.proposal(grant_id)
        return Given(grant_id, asked.grant.request) if asked else None

    def _give(self, grant_id: str, grant: Grant, people: About) -> Given:
        """AlreadyBooked. NotAlone, exactly: each grant changes the wallet that this one is about to."""
        at = self.now()
        lot = lot_until(grant.until, at) if grant.until else lot_for(GRANTED_MONTHS, Kind.GIVEN, at)
        given = Given(grant_id, grant.request, lot)
        booked = Booked(f"grant/{grant_id}", grant.request, lot)

        def attempt(wallet: Wallet) -> Given:
            if "approved_by" not in people:
                self._refuse_alone(grant, at)
            self._book(wallet, booked, grant.points, lot, What.GRANTED, {"reason": grant.reason, **people})
            return given

        return self.points.changing(grant.customer_id, attempt)

    def _refuse_alone(self, grant: Grant, at: datetime) -> None:
        """A day with more movements than are looked at is no day to give points alone."""
        newest = self.points.entries(grant.customer_id, LOOKED_AT)
        many = len(newest) == LOOKED_AT and newest[-1].entry.at > at - DAY
        if many or given_alone(newest, at - DAY) + grant.points > MOST_ALONE:
            raise NotAlone()

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
