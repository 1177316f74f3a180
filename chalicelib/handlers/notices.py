"""The facts that have a text sent."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import Routes
from chalicelib.notices.schemas import Cause, SmartKeyLinkIssued

routes = Routes(__name__)


@routes.lambda_function(name="notices_send")
@background
def notices_send(event: dict[str, Any], _: Any) -> None:
    """The text with a smart key's link."""
    link = fact_of(event).data_as(SmartKeyLinkIssued)
    wiring.notices().send_link(link.grant_id, link.send_no)


@routes.lambda_function(name="notices_tell")
@background
def notices_tell(event: dict[str, Any], _: Any) -> None:
    """What a customer should know of, with the way to put it right."""
    fact = fact_of(event)
    cause = fact.data_as(Cause)
    wiring.notices().tell(cause.template(fact.type), cause.contract_id, fact.id)


@routes.lambda_function(name="notices_publish")
@background
def notices_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
