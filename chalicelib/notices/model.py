"""Notices: their wording, their size, and the way from due to sent.

A domestic text holds 90 bytes of cp949 (Python's `euc-kr` writes rare syllables as eight bytes), and one part
of an SNS text 140 bytes, which is 70 UTF-16 units.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from chalicelib.kernel.errors import Busy, Conflict, Refused
from chalicelib.kernel.states import Table

SMS_BYTES = 90
PART_UNITS = 70
LONG_PART_UNITS = 67
"""Of each part of a longer text: its header takes six bytes."""
SITE_CHARS = 24
"""The longest site address with which a link's text is one part; the local stack's may be longer."""

LEASE = timedelta(seconds=45)
"""Longer than one run of the sender, shorter than the minute until its event is tried again."""


class State(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class Event(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    T_LEASE = "T.lease"


class Role(StrEnum):
    SENDER = "sender"
    TIMER = "timer"


START = State.PENDING
LIFE = Table(
    (State.PENDING, Event.ACCEPTED, State.SENT, {Role.SENDER}),
    (State.PENDING, Event.REFUSED, State.FAILED, {Role.SENDER}),
    (State.PENDING, Event.T_LEASE, State.PENDING, {Role.TIMER}),
)


class Unsendable(Refused):
    """A text may hold nothing that cp949 has no letter for."""


class SmsRefused(Refused):
    """This number cannot be texted."""


class SmsUnavailable(Busy):
    """The text could not be handed over; try again."""


class BeingSent(Busy):
    """Another run is sending this notice."""


class AlreadySettled(Conflict):
    """This notice was sent, or given up, before."""


class Template(StrEnum):
    SMART_KEY_LINK = "smart_key_link"
    KEY_QUESTION = "key_question"
    """The carrier says delivered, the customer has said nothing."""
    NOT_VERIFIED = "not_verified"
    CHARGE_FAILED = "charge_failed"
    PARTNER_MISSED = "partner_missed"


WORDS = {
    Template.SMART_KEY_LINK: {
        "ko": "[핸드오버] 차 여는 링크, 24시간\n{link}",
        "en": "[handover] Smart key\n{link}",
    },
    Template.KEY_QUESTION: {
        "ko": "[핸드오버] 열쇠 받으셨나요? 알려 주세요\n{link}",
        "en": "[handover] Did your key arrive?\n{link}",
    },
    Template.NOT_VERIFIED: {
        "ko": "[핸드오버] 운전 자격을 확인하지 못했어요\n{link}",
        "en": "[handover] Licence not confirmed\n{link}",
    },
    Template.CHARGE_FAILED: {
        "ko": "[핸드오버] 결제가 안 됐어요. 카드 확인\n{link}",
        "en": "[handover] Payment failed\n{link}",
    },
    Template.PARTNER_MISSED: {
        "ko": "[핸드오버] 늦어서 죄송해요. 새 시간 고르기\n{link}",
        "en": "[handover] Sorry: pick a new time\n{link}",
    },
}
"""The link stands last: phones cut a final - off a link that something follows."""


class Notice(Struct, frozen=True):
    """Until `leased_until` no other run takes it up. `reason` says why it FAILED.

    A link's text names grant and number, and finds its contract by them; any other is about a contract.
    """

    notice_id: str
    template: Template
    leased_until: datetime
    contract_id: str | None = None
    grant_id: str | None = None
    send_no: int | None = None
    state: State = START
    reason: str | None = None


def text_of(template: Template, language: str, **values: str) -> str:
    """Korean where the language has no wording. Unsendable."""
    wordings = WORDS[template]
    text = wordings.get(language, wordings["ko"]).format(**values)
    sms_bytes(text)
    return text


def sms_bytes(text: str) -> int:
    """In cp949, as domestic carriers count. Unsendable for emoji and whatever else it cannot say."""
    try:
        return len(text.encode("cp949"))
    except UnicodeEncodeError as problem:
        raise Unsendable() from problem


def sms_parts(text: str) -> int:
    """As billed when the carrier writes UCS-2."""
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= PART_UNITS else -(-units // LONG_PART_UNITS)
