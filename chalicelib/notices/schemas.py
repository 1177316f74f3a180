"""The facts that notices publish and understand."""

from msgspec import Struct

from chalicelib.notices.model import Template


class NoticeSent(Struct, frozen=True):
    """Published: the text with a link was accepted for delivery."""

    notice_id: str
    contract_id: str
    grant_id: str
    send_no: int
    template: str


class CustomerTold(Struct, frozen=True):
    """Published: a text about what happened to a contract was accepted for delivery."""

    notice_id: str
    contract_id: str
    template: str


class SmartKeyLinkIssued(Struct, frozen=True):
    """Heard."""

    grant_id: str
    send_no: int


class Cause(Struct, frozen=True):
    """Heard: what happened to a contract. `to_state` of a key's move, `by` of a missed appointment."""

    contract_id: str
    to_state: str | None = None
    by: str | None = None

    def template(self, fact: str) -> Template | None:
        """What its customer is told; None when that is nothing."""
        asked = fact == "KeyShipmentMoved" and self.to_state == "unconfirmed"
        missed = fact == "AppointmentMissed" and self.by == "partner"
        told = {
            "ContractRejected": Template.NOT_VERIFIED,
            "ChargeFailed": Template.CHARGE_FAILED,
            "KeyShipmentMoved": Template.KEY_QUESTION if asked else None,
            "AppointmentMissed": Template.PARTNER_MISSED if missed else None,
        }
        return told.get(fact)
