"""A customer's coupons: registered by their code, taken from a campaign, or given."""

from datetime import datetime

from chalicelib.coupons import model
from chalicelib.coupons.model import (
    DOWNLOADS,
    AlreadyDone,
    Asked,
    Boxed,
    BudgetExhausted,
    Campaign,
    CampaignPaused,
    CodeRefused,
    Coupon,
    Offered,
    State,
    Switch,
    UnknownCampaign,
)
from chalicelib.coupons.service.desk import Desk, asked_by
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.done import Done
from chalicelib.kernel.errors import KeyReused, Refused

NO_CAMPAIGN = "cmp_"
"""Asked for in place of an unknown code's campaign."""
MOST_OFFERED = 50
PAGE = 50


class Box(Desk, frozen=True):
    # --- by code -------------------------------------------------------------------------------------------

    def register(self, typed: str, by: Caller, key: str, ip: str = "") -> Done[Boxed]:
        """CodeRefused alike, and after the same work, for unknown, used, void and foreign codes, for those of
        campaigns that are over or for others; at once for what cannot be a code.

        A customer's try is counted before the code is looked up and forgiven when it was good, so that nobody
        outruns the limit by asking many times at once. An address is looked at before and counted after, in
        vain only: many customers of one carrier may have the same.
        """
        code_hash = model.hash_of(self.secret(), model.read_code(typed))
        asked = asked_by(by, key, "register", code_hash)
        near = model.mark_of(self.secret(), ip) if ip else None
        at = self.now()
        self.store.count_try(by.id, near, at)
        coupon, groups = self.store.look(code_hash, by.id)
        try:
            return Done(self.boxed(self._registered(coupon, groups, by, asked, at)))
        except (AlreadyDone, CodeRefused) as refusal:
            before = self.store.asked(asked.request_id)
            mine = before == asked or (before is None and isinstance(refusal, AlreadyDone))
            if coupon is None or not mine:
                if near is not None:
                    self.store.count_failure(near, at)
                if before not in (None, asked):
                    raise KeyReused() from None
                raise
        self.store.forgive_try(by.id, at)
        return Done(self.boxed(coupon.owned_by(by.id)), replayed=True)

    def _registered(
        self, coupon: Coupon | None, groups: frozenset[str], by: Caller, asked: Asked, at: datetime
    ) -> Coupon:
        campaign = self._campaign(coupon)
        if coupon is None or campaign is None:
            raise CodeRefused()
        mine = coupon.registered(by.id)
        if coupon != mine and campaign.over(at):
            raise CodeRefused("CLOSED", coupon.coupon_id)
        if coupon != mine and not _for(campaign, groups):
            raise CodeRefused("OUTSIDE", coupon.coupon_id)
        self.store.register(mine, asked, at)
        return mine

    def _campaign(self, coupon: Coupon | None) -> Campaign | None:
        """Read every time: what was kept of it would tell by its speed that there is such a code."""
        try:
            return self.budgets.current(coupon.campaign_id if coupon else NO_CAMPAIGN)
        except UnknownCampaign:
            return None

    # --- without one ---------------------------------------------------------------------------------------

    def offered(self, by: Caller) -> list[Offered]:
        """The campaigns whose coupon this customer may take now, or has taken, until they end."""
        at = self.now()
        found = [self.budgets.campaign(each) for each in self.store.offered(at, MOST_OFFERED)]
        taken, groups = self.store.standing(by.id, [self._own(each, by).code_hash for each in found])
        shown = [Offered(each, taken[place] is not None) for place, each in enumerate(found)]
        return [each for each in shown if each.mine or _why_not(each.campaign, groups, at) is None]

    def take(self, campaign_id: str, by: Caller) -> Done[Boxed]:
        """One of a campaign for each customer: who asks again hears of the one they have. UnknownCampaign
        when it is for others, or gives none away."""
        campaign, at = self.budgets.campaign(campaign_id), self.now()
        coupon = self._own(campaign, by)
        had, groups = self.store.look(coupon.code_hash, by.id)
        if had is not None:
            return Done(self.boxed(had), replayed=True)
        if refusal := _why_not(campaign, groups, at):
            raise refusal
        write = self.budgets.begin()
        self.store.take(write, coupon, DOWNLOADS, at)
        self.budgets.bind(write, campaign, 1, DOWNLOADS + coupon.code_hash)
        try:
            write.commit()
        except AlreadyDone:
            return Done(self.boxed(self.store.coupon(coupon.code_hash) or coupon), replayed=True)
        return Done(self.boxed(coupon))

    def _own(self, campaign: Campaign, by: Caller) -> Coupon:
        """The one that this customer takes of the campaign: derived, so there is no second one."""
        code = model.spell(self.secret(), campaign.campaign_id, DOWNLOADS, by.id)
        code_hash = model.hash_of(self.secret(), code)
        return Coupon(campaign.campaign_id, code_hash, State.REGISTERED, by.id, worth=campaign.terms.worth)

    # --- looking -------------------------------------------------------------------------------------------

    def mine(self, by: Caller, limit: int, after: str | None) -> tuple[list[Boxed], str | None]:
        """Without the unused coupons of exhausted campaigns, so a page may hold fewer than `limit`."""
        coupons, last = self.store.owned(by.id, limit, after)
        boxed = [self.boxed(coupon) for coupon in coupons]
        return [each for each in boxed if not each.coupon.hidden(each.campaign)], last

    def usable(self, customer_id: str) -> int:
        """How many coupons could be used now; of more than a page, those on its first."""
        found, _ = self.mine(Caller(customer_id), PAGE, None)
        return sum(each.why_not is None for each in found)


def _for(campaign: Campaign, groups: frozenset[str]) -> bool:
    wanted = campaign.terms.scope.groups
    return not wanted or bool(wanted & groups)


def _why_not(campaign: Campaign, groups: frozenset[str], at: datetime) -> Exception | None:
    """Why a customer in these groups cannot take the campaign's coupon."""
    if not (campaign.terms.download and _for(campaign, groups)):
        return UnknownCampaign()
    try:
        campaign.refuse_outside(at)
    except Refused as refusal:
        return refusal
    if campaign.state is Switch.PAUSED:
        return CampaignPaused()
    return BudgetExhausted() if campaign.seems_exhausted else None
