"""Links, sessions and what they open; grants for operations; the facts that issue and track them."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.auth import Group
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import LOG, background
from chalicelib.kernel.facts import Fact, fact_of
from chalicelib.kernel.http import PUBLIC, REPLAYED, Answer, Call, Routes
from chalicelib.smartkeys.model import SESSION_LIFE
from chalicelib.smartkeys.schemas import (
    CommandSettled,
    ExchangeRequest,
    GrantList,
    GrantView,
    IssuedView,
    IssueRequest,
    LinkRequest,
    NoticeSent,
    SmartKeyCar,
    SmartKeyView,
    Stranded,
)

routes = Routes(__name__)

COOKIE = "__Host-smartkey"


def _cookie(session: str, seconds: int) -> dict[str, str]:
    """The `__Host-` prefix (RFC 6265bis, 4.1.3.2) makes browsers insist on Secure, Path=/ and no Domain."""
    kept = f"Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    return {"Set-Cookie": f"{COOKIE}={session}; {kept}"}


@routes.post("/v1/smart-key/exchange", status=204, who=PUBLIC)
def exchange(request: ExchangeRequest, call: Call) -> Answer:
    """Trade a link's one-time code and a proof for a session."""
    session = wiring.smartkeys().exchange(request.code, request.proof, call.maybe_key)
    return Answer(headers=_cookie(session, int(SESSION_LIFE.total_seconds())))


@routes.post("/v1/smart-key/links", status=202, who=PUBLIC)
def ask_for_link(request: LinkRequest, call: Call) -> None:
    """Have a new link sent; the answer never tells whether there was one to send."""
    wiring.smartkeys().resend(request.phone, request.proof, call.maybe_key)


@routes.get("/v1/smart-key", who=PUBLIC)
def smart_key(call: Call) -> SmartKeyView:
    """What this session may do with which car."""
    key = wiring.smartkeys().view(call.cookies.get(COOKIE))
    holder, car, state = key.holder, key.car, key.state
    shown = SmartKeyCar(car.car_id, car.plate, car.model, state.online, state.last_seen)
    return SmartKeyView(holder.grant_id, holder.contract_id, shown, holder.actions, holder.not_after)


@routes.post("/v1/smart-key/sign-out", status=204, who=PUBLIC)
def sign_out(call: Call) -> Answer:
    """End this session."""
    wiring.smartkeys().sign_out(call.cookies.get(COOKIE))
    return Answer(headers=_cookie("", 0))


@routes.post("/v1/ops/contracts/{contract_id}/smart-keys", status=201, who=Group.OPS, keyed=True)
def issue(contract_id: str, request: IssueRequest, call: Call) -> IssuedView | Answer:
    """Give a contract's holder a smart key, or a live one a new window and a new link."""
    issued = wiring.smartkeys().issue(request.order(contract_id, call.caller.id, call.key))
    return Answer(IssuedView(issued.grant.grant_id), REPLAYED if issued.replayed else {})


@routes.get("/v1/ops/contracts/{contract_id}/smart-keys", who=Group.OPS)
def list_of_contract(contract_id: str) -> GrantList:
    """All smart keys of a contract, latest first."""
    return GrantList([GrantView.of(grant) for grant in wiring.smartkeys().of_contract(contract_id)])


@routes.delete("/v1/ops/contracts/{contract_id}/smart-keys/{grant_id}", who=Group.OPS)
def revoke(contract_id: str, grant_id: str, call: Call) -> None:
    """End a smart key, its sessions and its unused link."""
    wiring.smartkeys().revoke(contract_id, grant_id, call.caller.id)


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
    wiring.smartkeys().settled(settled.grant_id, settled.action, settled.state, fact.at)


TRACKED = {"NoticeSent": _sent, "CommandSettled": _settled}


@routes.lambda_function(name="smartkeys_track")
@background
def smartkeys_track(event: dict[str, Any], _: Any) -> None:
    """How far a grant has come: its text went out, its car opened."""
    fact = fact_of(event)
    TRACKED[fact.type](fact)


@routes.lambda_function(name="smartkeys_publish")
@background
def smartkeys_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
