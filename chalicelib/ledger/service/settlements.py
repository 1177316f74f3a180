"""Sponsors, their people and campaigns, and what they pay month by month."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done
from chalicelib.ledger.model import (
    Line,
    Sponsor,
    SponsorDiffers,
    Sponsored,
    SponsorKnown,
    Statement,
    UnknownPeriod,
    UnknownSponsor,
    closed,
    end_of,
    lines_of,
    months,
    period_of,
    start_of,
)
from chalicelib.ledger.service.books import BookService


class Store(Protocol):
    """Reads are strongly consistent, but `campaigns` and `campaigns_behind`."""

    def add_sponsor(self, sponsor: Sponsor) -> None:
        """SponsorKnown when there is one of that id."""

    def sponsor(self, sponsor_id: str) -> Sponsor | None: ...

    def add_person(self, subject: str, sponsor_id: str) -> None:
        """OthersPerson when they belong to another sponsor."""

    def sponsor_of(self, subject: str) -> str | None: ...

    def add_campaign(self, campaign: Sponsored) -> None:
        """The same however often."""

    def campaign(self, campaign_id: str) -> Sponsored | None: ...

    def campaigns(self, sponsor_id: str) -> list[Sponsored]: ...

    def campaigns_behind(self, campaign_id: str | None) -> Iterable[Sequence[Sponsored]]: ...

    def close(self, statement: Statement) -> None:
        """Kept by its digest; StatementChanged when it was closed with another one."""


class SettlementService(Struct, frozen=True):
    store: Store
    books: BookService
    now: Clock

    # --- sponsors ------------------------------------------------------------------------------------------

    def add_sponsor(self, sponsor: Sponsor) -> Done[Sponsor]:
        try:
            self.store.add_sponsor(sponsor)
            return Done(sponsor)
        except SponsorKnown:
            if self.store.sponsor(sponsor.sponsor_id) != sponsor:
                raise SponsorDiffers() from None
        return Done(sponsor, replayed=True)

    def add_person(self, sponsor_id: str, subject: str) -> None:
        self._sponsor(sponsor_id)
        self.store.add_person(subject, sponsor_id)

    def hear_campaign(self, campaign: Sponsored) -> None:
        self.store.add_campaign(campaign)

    def campaigns(self, by: Caller) -> list[Sponsored]:
        """The caller's sponsor's, newest first."""
        return sorted(self.store.campaigns(self.sponsor_of(by)), key=lambda each: each.created_at)[::-1]

    def sponsor_of(self, by: Caller) -> str:
        """UnknownSponsor for whoever is nobody's."""
        sponsor_id = self.store.sponsor_of(by.id)
        if sponsor_id is None:
            raise UnknownSponsor()
        return sponsor_id

    def _sponsor(self, sponsor_id: str) -> Sponsor:
        sponsor = self.store.sponsor(sponsor_id)
        if sponsor is None:
            raise UnknownSponsor()
        return sponsor

    # --- settlements ---------------------------------------------------------------------------------------

    def periods(self, by: Caller) -> list[tuple[str, bool]]:
        """Newest first, and whether each is closed: from the sponsor's first campaign to now."""
        campaigns = self.store.campaigns(self.sponsor_of(by))
        if not campaigns:
            return []
        at = self.now()
        found = months(min(each.created_at for each in campaigns), at)
        return [(period, closed(period, at)) for period in found][::-1]

    def mine(self, period: str, by: Caller) -> Statement:
        return self._statement(self.sponsor_of(by), period)

    def of(self, sponsor_id: str, period: str) -> Statement:
        return self._statement(self._sponsor(sponsor_id).sponsor_id, period)

    def _statement(self, sponsor_id: str, text: str) -> Statement:
        """Read from the books each time. The first of a closed period is kept as its digest, and every later
        one must be the same to the byte: StatementChanged if not."""
        at = self.now()
        period = period_of(text, at)
        campaigns = self.store.campaigns(sponsor_id)
        if not any(each.created_at < end_of(period) for each in campaigns):
            raise UnknownPeriod()
        lines = [line for each in campaigns for line in self._lines(each, period)]
        statement = Statement(sponsor_id, period, not closed(period, at), tuple(lines))
        if not statement.preliminary:
            self.store.close(statement)
        return statement

    def _lines(self, campaign: Sponsored, period: str) -> list[Line]:
        if campaign.created_at >= end_of(period):
            return []
        return lines_of(campaign, self.books.spent(campaign.campaign_id, start_of(period), end_of(period)))
