"""The facts that have a text sent."""

from typing import Any

from chalicelib import wiring
from chalicelib.kernel.aws import client
from chalicelib.kernel.bus import carry
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import Routes
from chalicelib.notices.schemas import SmartKeyLinkIssued

routes = Routes(__name__)


@routes.lambda_function(name="notices_send")
@background
def notices_send(event: dict[str, Any], _: Any) -> None:
    """The text with a smart key's link."""
    link = fact_of(event).data_as(SmartKeyLinkIssued)
    wiring.notices().send_link(link.grant_id, link.send_no)


@routes.lambda_function(name="notices_publish")
@background
def notices_publish(event: dict[str, Any], _: Any) -> int:
    """This table's facts, from its stream to the bus."""
    return carry(event, client("events"))
