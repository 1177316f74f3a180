"""The pages' entry points: pages, their files, public settings, the overview, a customer's wallet."""

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.http import PUBLIC, SIGNED_IN, Answer, Call, Routes
from chalicelib.kernel.settings import SETTINGS
from chalicelib.pages.model import safety_headers
from chalicelib.pages.schemas import ConfigView, OverviewView, WalletView

routes = Routes(__name__)


@routes.get("/k", who=PUBLIC)
def smart_key_page() -> Answer:
    """The smart-key page, without any look-up: a link's code is in the fragment and never arrives here."""
    page = wiring.page_files().template("smart-key.html")
    return Answer(page.body, safety_headers(uses=("geolocation",)), content_type=page.content_type)


@routes.get("/k-worker.js", who=PUBLIC)
def smart_key_worker() -> Answer:
    """The service worker that keeps the smart-key page's shell for when there is no network."""
    script = wiring.page_files().template("k-worker.js")
    return Answer(script.body, safety_headers(), content_type=script.content_type)


@routes.get("/ops", who=PUBLIC)
def ops_page() -> Answer:
    """The ops page; everything it shows is behind a sign-in."""
    page = wiring.page_files().template("ops.html")
    return Answer(page.body, safety_headers(SETTINGS.cognito_endpoint), content_type=page.content_type)


@routes.get("/sponsor", who=PUBLIC)
def sponsor_page() -> Answer:
    """Campaigns and settlements of who pays for a promotion; everything it shows is behind a sign-in."""
    page = wiring.page_files().template("sponsor.html")
    return Answer(page.body, safety_headers(SETTINGS.cognito_endpoint), content_type=page.content_type)


@routes.get("/my", who=PUBLIC)
def my_page() -> Answer:
    """The customer's page; everything it shows is behind a sign-in, and its fragment never arrives here."""
    page = wiring.page_files().template("my.html")
    headers = safety_headers(SETTINGS.cognito_endpoint, SETTINGS.payments_url, uses=("camera", "geolocation"))
    return Answer(page.body, headers, content_type=page.content_type)


@routes.get("/plans", who=PUBLIC)
def plans_page() -> Answer:
    """Plans, quotes and the sign-up; the browser itself speaks to the sign-in and to the payment company."""
    page = wiring.page_files().template("plans.html")
    headers = safety_headers(SETTINGS.cognito_endpoint, SETTINGS.payments_url)
    return Answer(page.body, headers, content_type=page.content_type)


@routes.get("/partner", who=PUBLIC)
def partner_page() -> Answer:
    """Jobs and scans of packers, couriers and agents; the tag of a code is in the fragment, not sent here."""
    page = wiring.page_files().template("partner.html")
    headers = safety_headers(SETTINGS.cognito_endpoint, uses=("camera", "geolocation"))
    return Answer(page.body, headers, content_type=page.content_type)


@routes.get("/p-worker.js", who=PUBLIC)
def partner_worker() -> Answer:
    """The service worker that keeps the partner page's shell for when there is no signal."""
    script = wiring.page_files().template("p-worker.js")
    return Answer(script.body, safety_headers(), content_type=script.content_type)


@routes.get("/assets/{version}/{name}", who=PUBLIC)
def asset(version: str, name: str) -> Answer:
    """A static file of the pages; kept by browsers for ever under the version of its release."""
    file = wiring.page_files().asset(version, name)
    headers = {**safety_headers(), "Cache-Control": file.cache}
    return Answer(file.body, headers, content_type=file.content_type)


@routes.get("/v1/config", who=PUBLIC)
def config() -> ConfigView:
    """What a page needs to sign somebody in, and to turn a card into a token."""
    return ConfigView(
        SETTINGS.region, SETTINGS.user_pool_client_id, SETTINGS.cognito_endpoint, SETTINGS.payments_url
    )


@routes.get("/v1/ops/overview", who=Group.OPS)
def overview() -> OverviewView:
    """What is about to go wrong: today's smart keys, key shipments in trouble, overdue work."""
    return OverviewView.of(wiring.overview().overview())


@routes.get("/v1/me/wallet", who=SIGNED_IN)
def wallet(call: Call) -> WalletView:
    """My points and how many coupons I could use: the foot of every customer page."""
    return WalletView.of(wiring.wallet().wallet(call.caller.id))
