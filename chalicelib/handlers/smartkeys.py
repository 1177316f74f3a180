"""Links, sessions and what they open; grants for operations; the facts that issue and track them."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.auth import SMART_KEY_COOKIE, Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import LOG, background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, SIGNED_IN, Answer, Call, Routes, limit_of
from chalicelib.kernel.logs import LogView, line_asked
from chalicelib.smartkeys.model import ENDINGS, SESSION_LIFE, Origin
from chalicelib.smartkeys.schemas import (
    CommandSettled,
    ContractKeys,
    Ended,
    ExchangeRequest,
    GrantList,
    GrantView,
    IssuedView,
    IssueRequest,
    LinkRequest,
    NoticeSent,
    RevokedView,
    ShareRequest,
    SmartKeyView,
    StepUpRequest,
    Stranded,
    reason_of,
)

routes = Routes(__name__)


def _cookie(session: str, seconds: int) -> dict[str, str]:
    """The `__Host-` prefix (RFC 6265bis, 4.1.3.2) makes browsers insist on Secure, Path=/ and no Domain."""
    kept = f"Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    return {"Set-Cookie": f"{SMART_KEY_COOKIE}={session}; {kept}"}


def _origin(call: Call) -> Origin:
    return Origin(call.ip, call.agent)


@routes.post("/v1/smart-key/exchange", status=204, who=PUBLIC)
def exchange(request: ExchangeRequest, call: Call) -> Answer:
    """Trade a link's one-time code and a proof for a session."""
    session = wiring.smartkeys().exchange(request.code, request.proof, call.maybe_key, _origin(call))
    return Answer(headers=_cookie(session, int(SESSION_LIFE.total_seconds())))


@routes.post("/v1/smart-key/links", status=202, who=PUBLIC)
def ask_for_link(request: LinkRequest, call: Call) -> None:
    """Have a new link sent; the answer never tells whether there was one to send."""
    wiring.smartkeys().resend(request.phone, request.proof, call.maybe_key, _origin(call))


@routes.get("/v1/smart-key", who=PUBLIC)
def smart_key(call: Call) -> SmartKeyView:
    """What this session may do with which car."""
    return SmartKeyView.of(wiring.smartkeys().view(call.cookies.get(SMART_KEY_COOKIE)))


@routes.post("/v1/smart-key/step-up", status=204, who=PUBLIC)
def step_up(request: StepUpRequest, call: Call) -> None:
    """Prove once more who holds this session."""
    wiring.smartkeys().step_up(call.cookies.get(SMART_KEY_COOKIE), request.proof, _origin(call))


@routes.post("/v1/smart-key/sign-out", status=204, who=PUBLIC)
def sign_out(call: Call) -> Answer:
    """End this session."""
    wiring.smartkeys().sign_out(call.cookies.get(SMART_KEY_COOKIE))
    return Answer(headers=_cookie("", 0))


@routes.post("/v1/ops/contracts/{contract_id}/smart-keys", status=201, who=Group.OPS, keyed=True)
def issue(contract_id: str, request: IssueRequest, call: Call) -> IssuedView | Answer:
    """Give a contract's holder a smart key, or a live one a new window and a new link."""
    issued = wiring.smartkeys().issue(request.order(contract_id, call.caller.id, call.key))
    view = IssuedView(issued.grant.grant_id, issued.grant.not_after)
    return Answer(view, REPLAYED if issued.replayed else {})


@routes.get("/v1/ops/contracts/{contract_id}/smart-keys", who=Group.OPS)
def list_of_contract(contract_id: str) -> GrantList:
    """All smart keys of a contract, latest first."""
    return GrantList([GrantView.of(grant) for grant in wiring.smartkeys().of_contract(contract_id)])


@routes.post(
    "/v1/ops/contracts/{contract_id}/smart-keys/{grant_id}/link", status=202, who=Group.OPS, keyed=True
)
def send_link(contract_id: str, grant_id: str, call: Call) -> Answer:
    """Send a smart key's holder a new link; the one before stops working."""
    sent = wiring.smartkeys().send_again(contract_id, grant_id, call.caller.id, call.key)
    return Answer(headers={} if sent else REPLAYED)


@routes.delete("/v1/ops/contracts/{contract_id}/smart-keys/{grant_id}", who=Group.OPS, status=200)
def revoke(contract_id: str, grant_id: str, call: Call) -> RevokedView:
    """End a smart key (`?reason=`): its sessions, its unused link, and the keys its holder gave away."""
    reason = reason_of(call.query)
    return RevokedView.of(wiring.smartkeys().revoke(contract_id, grant_id, call.caller.id, reason))


@routes.get("/v1/ops/contracts/{contract_id}/smart-keys/{grant_id}/log", who=Group.OPS)
def log_of(contract_id: str, grant_id: str, call: Call) -> LogView:
    """What became of a smart key, line by line, and whether the log is whole."""
    limit = limit_of(call.query, usual=50, most=100)
    return LogView.of(wiring.smartkeys().log(contract_id, grant_id, line_asked(call.query), limit))


@routes.get("/v1/contracts/{contract_id}/smart-keys", who=SIGNED_IN)
def smart_keys(contract_id: str, call: Call) -> ContractKeys:
    """A contract's car and smart keys: its customer sees theirs and their drivers', a driver their own."""
    return ContractKeys.of(wiring.smartkeys().held(contract_id, call.caller))


@routes.post("/v1/contracts/{contract_id}/smart-keys", status=201, who=SIGNED_IN, keyed=True)
def share(contract_id: str, request: ShareRequest, call: Call) -> IssuedView | Answer:
    """Give one of the contract's drivers a smart key, within one's own."""
    order = request.order(contract_id, call.caller.id, call.key)
    issued = wiring.smartkeys().share(order, call.caller)
    view = IssuedView(issued.grant.grant_id, issued.grant.not_after)
    return Answer(view, REPLAYED if issued.replayed else {})


@routes.post("/v1/contracts/{contract_id}/smart-keys/{grant_id}/link", status=202, who=SIGNED_IN, keyed=True)
def send_my_link(contract_id: str, grant_id: str, call: Call) -> Answer:
    """Have a new link sent to one's own phone, or to a driver's."""
    sent = wiring.smartkeys().send_mine(contract_id, grant_id, call.caller, call.key, _origin(call))
    return Answer(headers={} if sent else REPLAYED)


@routes.delete("/v1/contracts/{contract_id}/smart-keys/{grant_id}", who=SIGNED_IN, status=200)
def take_back(contract_id: str, grant_id: str, call: Call) -> RevokedView:
    """End a driver's smart key."""
    return RevokedView.of(wiring.smartkeys().take_back(contract_id, grant_id, call.caller))


@routes.lambda_function(name="smartkeys_issue")
@background
def smartkeys_issue(event: dict[str, Any], _: Any) -> None:
    """A stranded contract's customer gets a smart key."""
    fact = fact_of(event)
    stranded = fact.data_as(Stranded)
    grant = wiring.smartkeys().rescue(stranded.contract_id, reason=fact.type, cause=fact.id)
    LOG.info("rescued" if grant else "withheld", contract_id=stranded.contract_id)


def _sent(fact: Fact) -> None:
    wiring.smartkeys().sent(fact.data_as(NoticeSent).grant_id, fact.at)


def _settled(fact: Fact) -> None:
    settled = fact.data_as(CommandSettled)
    what = settled.action, settled.state
    wiring.smartkeys().settled(settled.grant_id, *what, fact.at, settled.command_id)


TRACKED = {"NoticeSent": _sent, "CommandSettled": _settled}


@routes.lambda_function(name="smartkeys_track")
@background
def smartkeys_track(event: dict[str, Any], _: Any) -> None:
    """How far a grant has come: its text went out, its car opened."""
    fact = fact_of(event)
    TRACKED[fact.type](fact)


def _ended(fact: Fact) -> int:
    return wiring.smartkeys().end(fact.data_as(Ended).contract_id, fact.type, fact.at)


def _dismissed(fact: Fact) -> int:
    ended = fact.data_as(Ended)
    return wiring.smartkeys().dismiss(ended.contract_id, str(ended.number))


def _swapped(fact: Fact) -> int:
    return wiring.smartkeys().follow(fact.data_as(Ended).contract_id)


CHANGES = {"DriverRemoved": _dismissed, "SwapDone": _swapped, **dict.fromkeys(ENDINGS, _ended)}


@routes.lambda_function(name="smartkeys_end")
@background
def smartkeys_end(event: dict[str, Any], _: Any) -> int:
    """A contract that is over, a driver no longer named, another car: what follows for the smart keys."""
    fact = fact_of(event)
    changed = CHANGES[fact.type](fact)
    LOG.info("followed", cause=fact.type, keys=changed)
    return changed


@routes.lambda_function(name="smartkeys_publish")
@background
def smartkeys_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
