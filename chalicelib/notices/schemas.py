"""What operations see of texts, and the facts that notices publish and understand."""

from datetime import date, datetime

from msgspec import Struct

from chalicelib.notices.model import Consents, Expiring, GiftName, Notice, Spending, Template


class WaitingText(Struct, frozen=True):
    """`reason`: NUMBER_LIMIT, DAILY_CAP or NIGHT_REST."""

    notice_id: str
    template: str
    contract_id: str | None
    grant_id: str | None
    campaign_id: str | None
    batch_id: str | None
    reason: str | None
    asked_at: datetime
    due_at: datetime | None

    @classmethod
    def of(cls, notice: Notice) -> "WaitingText":
        return cls(
            notice_id=notice.notice_id,
            template=notice.template.value,
            contract_id=notice.contract_id,
            grant_id=notice.grant_id,
            campaign_id=notice.gift.campaign_id if notice.gift else None,
            batch_id=notice.gift.batch_id if notice.gift else None,
            reason=notice.reason,
            asked_at=notice.asked_at,
            due_at=notice.due_at,
        )


class TextsView(Struct, frozen=True):
    """Parts of texts in a day in Seoul: what they have cost, what they may, how much of that is for links.

    `waiting`: the first of those that wait for their turn, soonest first.
    """

    day: date
    parts: int
    most: int
    for_links: int
    waiting: list[WaitingText]

    @classmethod
    def of(cls, seen: Spending) -> "TextsView":
        waiting = [WaitingText.of(notice) for notice in seen.waiting]
        return cls(seen.day, seen.spent, seen.caps.parts, seen.caps.for_links, waiting)


class ConsentsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """All that the customer agrees to from now on. `night`: advertising between 21:00 and 08:00 too."""

    marketing: bool
    night: bool = False


class ConsentsView(Struct, frozen=True):
    """`confirm_by`: whoever has not agreed again by then gets no advertising until they have."""

    marketing: bool
    night: bool
    given_at: datetime | None
    confirm_by: datetime | None
    night_given_at: datetime | None

    @classmethod
    def of(cls, consents: Consents) -> "ConsentsView":
        marketing, night = consents.marketing, consents.night
        return cls(
            marketing is not None,
            night is not None,
            marketing.given_at if marketing else None,
            marketing.confirm_by if marketing else None,
            night.given_at if night else None,
        )


class StruckOffView(Struct, frozen=True):
    """Said alike whether or not anybody here has that number."""

    struck_off: bool = True


class CouponGiven(Struct, frozen=True):
    """Heard."""

    campaign_id: str
    batch_id: str
    number: int

    @property
    def gift(self) -> GiftName:
        return GiftName(self.campaign_id, self.batch_id, self.number)


class PointsExpiring(Struct, frozen=True):
    """Heard."""

    customer_id: str
    expires_at: datetime

    @property
    def expiring(self) -> Expiring:
        return Expiring(self.customer_id, self.expires_at)


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


class NoticeFailed(Struct, frozen=True):
    """Published: this text will not go out. Operations should reach the customer in another way."""

    notice_id: str
    contract_id: str
    grant_id: str | None
    send_no: int | None
    template: str
    reason: str


class SmsCapReached(Struct, frozen=True):
    """Published once a day for links, for adverts and for all others: what they may cost is spent, and texts
    wait."""

    day: date
    whose: str
    parts: int


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
