"""The facts that notices publish and understand."""

from msgspec import Struct


class NoticeSent(Struct, frozen=True):
    """Published: the text was accepted for delivery."""

    notice_id: str
    grant_id: str
    send_no: int
    template: str


class SmartKeyLinkIssued(Struct, frozen=True):
    """Heard."""

    grant_id: str
    send_no: int
