"""What the tests of /my let the API say is what the contexts' own schemas say."""

from typing import Any

import msgspec
import pytest

from chalicelib.appointments.schemas import AppointmentView, RescheduledView, SlotsView
from chalicelib.billing.schemas import PaymentMethodView, PaymentsView
from chalicelib.checkout.schemas import CheckoutView
from chalicelib.contracts.schemas import (
    CancelView,
    ContractView,
    DriverAddedView,
    ListedView,
    PlansView,
    RenewView,
)
from chalicelib.coupons.schemas import (
    BatchesView,
    CampaignRequest,
    CampaignsView,
    CampaignView,
    CouponsView,
    OffersView,
    TargetsRequest,
    TargetsView,
)
from chalicelib.documents.schemas import DocumentsView, LinkView
from chalicelib.doors.schemas import StopView
from chalicelib.journey.schemas import TimelineView
from chalicelib.keys.schemas import StandingView
from chalicelib.ledger.schemas import (
    LookupView,
    PeriodsView,
    ReconciliationsView,
    ReconciliationView,
    RepairView,
    SettlementView,
    SpendView,
    SponsoredListView,
)
from chalicelib.notices.schemas import ConsentsView
from chalicelib.pages.schemas import ConfigView, WalletView
from chalicelib.parking.schemas import ParkingView
from chalicelib.points.schemas import ConversionView, EntriesView, PartnersView, PointsView
from chalicelib.smartkeys.schemas import ContractKeys, GrantView, RevokedView, SmartKeyView
from tests.pages.answers import key
from tests.pages.answers_campaigns import (
    CLEAN,
    DAYS,
    DONE,
    GROWING,
    LOOK,
    MINE,
    MONTHS,
    RUNNING,
    SETTLED,
    TOLD,
    WRONG,
    batches,
    campaigns,
)
from tests.pages.answers_my import (
    CANCELLED,
    CONFIG,
    CONTRACT,
    EVENTS,
    MOVED,
    PAID,
    PAPERS,
    PLACES,
    PLANS,
    QUOTE,
    VISIT,
    events,
    slots,
    summary,
)
from tests.pages.answers_plans import checkout
from tests.pages.answers_wallet import (
    CONSENT,
    CONVERTING,
    COUPON,
    LATER,
    MOVES,
    OFFER,
    PURSE,
    SHOPS,
    USED,
    WALLET_NOW,
    box,
    moves,
    priced,
)
from tests.pages.test_campaigns import ASKED, REPAIRED, TARGETED
from tests.pages.test_my_card import ADDED, CHANGED, CHECKOUT
from tests.pages.test_my_end import RENEWED
from tests.pages.test_my_key import told
from tests.pages.test_my_look import PAPER_LINK
from tests.pages.test_my_smartkey import ENDED, keys, smart_key
from tests.pages.test_ops import GRANT, STOPPED

SAID: list[tuple[Any, type[msgspec.Struct]]] = [
    (CONFIG, ConfigView),
    (CONTRACT, ContractView),
    (summary("con_1"), ListedView),
    (VISIT, AppointmentView),
    (slots("2026-11-27").body, SlotsView),
    (MOVED | QUOTE, RescheduledView),
    (CANCELLED | QUOTE, CancelView),
    (RENEWED | QUOTE, RenewView),
    (ADDED | QUOTE, DriverAddedView),
    (PLANS, PlansView),
    (CHECKOUT, CheckoutView),
    (PAID, PaymentsView),
    (key().body, SmartKeyView),
    (keys(smart_key(), smart_key("2")).body, ContractKeys),
    (ENDED, RevokedView),
    (GRANT, GrantView),
    (STOPPED, StopView),
    (CHANGED.body, PaymentMethodView),
    (told("verified").body, StandingView),
    (PAPERS, DocumentsView),
    (PAPER_LINK, LinkView),
    ({"places": PLACES}, ParkingView),
    (events(*EVENTS).body, TimelineView),
    (priced(20_000, 3_000), CheckoutView),
    (checkout("RESERVED").body, CheckoutView),
    (WALLET_NOW, WalletView),
    (box(COUPON, LATER, USED).body, CouponsView),
    ({"campaigns": [OFFER]}, OffersView),
    (PURSE, PointsView),
    (moves(*MOVES).body, EntriesView),
    ({"partners": SHOPS}, PartnersView),
    (CONVERTING, ConversionView),
    (CONSENT, ConsentsView),
    (campaigns(RUNNING).body, CampaignsView),
    (RUNNING, CampaignView),
    (batches(DONE, GROWING).body, BatchesView),
    (TOLD, TargetsView),
    ({"days": DAYS}, SpendView),
    (LOOK, LookupView),
    ({"reconciliations": [WRONG, CLEAN]}, ReconciliationsView),
    (WRONG, ReconciliationView),
    ({"campaigns": [MINE]}, SponsoredListView),
    (MONTHS, PeriodsView),
    (SETTLED, SettlementView),
    (TARGETED, TargetsRequest),
    (REPAIRED, RepairView),
]


@pytest.mark.parametrize(("said", "view"), SAID, ids=[view.__name__ for _, view in SAID])
def test_the_shapes_are_the_services_own(said: Any, view: type[msgspec.Struct]) -> None:
    read = msgspec.convert(said, view)
    again = msgspec.to_builtins(read)
    assert shape(again) == shape(said)


def shape(value: Any) -> Any:
    """The names in it, at every depth."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(each) for each in value] if isinstance(value, list | tuple) else None


def test_a_campaign_is_asked_for_as_the_service_reads_it() -> None:
    """With every term given; what is left out of a request has its usual meaning."""
    asked = msgspec.convert(ASKED, CampaignRequest)
    assert set(ASKED) == set(CampaignRequest.__struct_fields__)
    assert asked.terms().scope.plans == {"first-car"}
