"""Notices: their wording, their size, the way from due to sent, and what the law asks of advertising.

A domestic text holds 90 bytes of cp949 (Python's `euc-kr` writes rare syllables as eight bytes), and one part
of an SNS text 140 bytes, which is 70 UTF-16 units; beyond 90 bytes it is a long text (LMS), of at most 2,000.

Advertising (정보통신망법, the Network Act, article 50; its decree, articles 61 to 62-3 and table 6): only to
who has agreed before (1); between 21:00 and 08:00 only to who has agreed to that apart (3); the text begins
with (광고) and the sender's name, and ends with a way to refuse that costs nothing (4); who has agreed is
asked again every two years (8). The law then takes silence for consent
(asiae.co.kr/article/2016112518081319812); here a consent that was not confirmed in time rests until it is.

That points expire is no advertising where it tells of a purchase (KISA's guide to the Network Act, fifth
edition, exceptions: 포인트 소멸 안내). Points that were given for nothing are told of as advertising.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.calendar import DAY, KST, months_after
from chalicelib.kernel.errors import Busy, Conflict, Refused, TooMany, Unauthenticated
from chalicelib.kernel.money import Won
from chalicelib.kernel.states import Table

SMS_BYTES = 90
LMS_BYTES = 2000
PART_UNITS = 70
LONG_PART_UNITS = 67
"""Of each part of a longer text: its header takes six bytes."""
SITE_CHARS = 24
"""The longest site address with which a link's text is one part; the local stack's may be longer."""

LEASE = timedelta(seconds=45)
"""Longer than one run of the sender, shorter than the minute until the next sweep."""
KEEP_TRYING = timedelta(hours=36)
"""Beyond that a text is no news; a day's cap may make one wait until the next day."""

TEXTS = 3
TEXTS_WINDOW = timedelta(minutes=10)
"""So many texts reach one number in any such window, whatever they say."""
SPREAD = timedelta(minutes=30)
"""What waits for a cap looks again after this much time and up to as much more: it may have been raised."""

NIGHT_FROM = time(20, 50)
"""Ten minutes before the law's 21:00: a carrier takes its time."""
NIGHT_UNTIL = time(8)
CONFIRM_MONTHS = 24


class State(StrEnum):
    PENDING = "PENDING"
    WAITING = "WAITING"
    SENT = "SENT"
    FAILED = "FAILED"


class Event(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LIMITED = "limited"
    T_LEASE = "T.lease"
    T_TURN = "T.turn"


class Role(StrEnum):
    SENDER = "sender"
    TIMER = "timer"


START = State.PENDING
LIFE = Table(
    (State.PENDING, Event.ACCEPTED, State.SENT, {Role.SENDER}),
    (State.PENDING, Event.REFUSED, State.FAILED, {Role.SENDER}),
    (State.PENDING, Event.LIMITED, State.WAITING, {Role.SENDER}),
    (State.PENDING, Event.T_LEASE, State.PENDING, {Role.TIMER}),
    (State.WAITING, Event.T_TURN, State.PENDING, {Role.TIMER}),
)


class Unsendable(Refused):
    """A text may hold nothing that cp949 has no letter for, and no more than a long text takes."""


class SmsRefused(Refused):
    """This number cannot be texted."""


class SmsUnavailable(Busy):
    """The text could not be handed over; try again."""


class SmsUnsure(Busy):
    """No answer came; the text may have gone out."""


class AlreadyHeard(Conflict):
    """This notice was asked for before; it is on its way, or settled."""


class TakenUp(Conflict):
    """Another run has taken this notice up."""


class AlreadySettled(Conflict):
    """This notice was sent, or given up, before."""


class TextsMoved(Conflict):
    """Another text went to this number meanwhile."""


class CapReached(Conflict):
    """The day would spend more than it may."""


class AlreadyTold(Conflict):
    """This was published today."""


class TextsLimited(TooMany):
    """This text must wait for its turn."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


class NumberLimit(TextsLimited):
    """This number has had its texts for the moment."""


class DailyCap(TextsLimited):
    """Today's texts are spent."""


class NightRest(TextsLimited):
    """This text waits for the morning."""


class AdvertRefused(Refused):
    """This customer gets no advertising."""


class NoConsent(AdvertRefused):
    """This customer has not agreed to advertising."""


class ConsentLapsed(AdvertRefused):
    """This customer agreed more than two years ago and has not said so again."""


class NoNumber(AdvertRefused):
    """Nobody knows a number of this customer."""


class OptedOut(AdvertRefused):
    """This number was struck off by its owner."""


class NoOptOutNumber(AdvertRefused):
    """There is no number yet at which advertising can be refused for free."""


class NothingExpires(Conflict):
    """These points were spent, or have lasted."""


class NightAlone(Refused):
    """Advertising at night needs the consent to advertising too."""


class BadSignature(Unauthenticated):
    """This call is not signed by who runs the free number."""


class ConsentsMoved(Conflict):
    """These consents were changed meanwhile; look again."""


class Template(StrEnum):
    SMART_KEY_LINK = "smart_key_link"
    KEY_QUESTION = "key_question"
    """The carrier says delivered, the customer has said nothing."""
    NOT_VERIFIED = "not_verified"
    CHARGE_FAILED = "charge_failed"
    PARTNER_MISSED = "partner_missed"
    COUPON_GIVEN = "coupon_given"
    """Advertising: a coupon lies in the customer's box."""
    POINTS_EXPIRING = "points_expiring"
    """Which payments have earned."""
    GIVEN_EXPIRING = "given_expiring"
    """Advertising: points that were given to the customer, and others."""


ADVERTS = frozenset({Template.COUPON_GIVEN, Template.GIVEN_EXPIRING})
CAN_WAIT = ADVERTS | {Template.POINTS_EXPIRING}
"""Many at once, since a whole month's points expire together: they are no reason to keep others from their
texts."""

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
    Template.COUPON_GIVEN: {
        "ko": "(광고)[핸드오버] {worth} 할인 쿠폰이 왔어요{until}\n{code}\n{link}\n무료수신거부 {opt_out}",
        "en": "(광고)[handover] Your coupon: {worth} off{until}\n{code}\n{link}\n무료수신거부 {opt_out}",
    },
    Template.POINTS_EXPIRING: {
        "ko": "[핸드오버] {points}P가 {day} 이후 사라져요\n{link}",
        "en": "[handover] {points} points end on {day}\n{link}",
    },
    Template.GIVEN_EXPIRING: {
        "ko": "(광고)[핸드오버] {points}P가 {day} 이후 사라져요\n{link}\n무료수신거부 {opt_out}",
        "en": "(광고)[handover] {points} points end on {day}\n{link}\n무료수신거부 {opt_out}",
    },
}
"""A link stands last: phones cut a final - off a link that something follows. Only in advertising, whose
links are without one, the way to refuse it does."""


class GiftName(Struct, frozen=True):
    """The coupon of that number in a batch of a campaign; whose it is, and its code, are asked for when the
    text goes out."""

    campaign_id: str
    batch_id: str
    number: int


class Expiring(Struct, frozen=True):
    """Points that will be gone at that moment; how many is asked for when the text goes out."""

    customer_id: str
    at: datetime


class Notice(Struct, frozen=True):
    """Until `due_at` no other run takes it up; None when it is settled. `reason`: why it waits, or FAILED.

    A link's text names grant and number, and finds its contract by them; a gift's names campaign, batch and
    number, and finds its customer by them; one of points names its customer; any other is about a contract.
    """

    notice_id: str
    template: Template
    asked_at: datetime
    due_at: datetime | None
    contract_id: str | None = None
    grant_id: str | None = None
    send_no: int | None = None
    gift: GiftName | None = None
    expiring: Expiring | None = None
    state: State = START
    reason: str | None = None

    @classmethod
    def new(cls, notice_id: str, template: Template, at: datetime, **about: Any) -> "Notice":
        return cls(notice_id, template, asked_at=at, due_at=at + LEASE, **about)

    def taken_up(self, at: datetime) -> "Notice":
        over = {State.PENDING: Event.T_LEASE, State.WAITING: Event.T_TURN}
        return replace(self, state=LIFE.after(self.state, over[self.state]), due_at=at + LEASE)

    def waiting(self, limit: TextsLimited) -> "Notice":
        state = LIFE.after(self.state, Event.LIMITED)
        return replace(self, state=state, due_at=limit.until, reason=limit.code)

    def too_late(self, at: datetime) -> bool:
        return at >= (self.expiring.at if self.expiring else self.asked_at + KEEP_TRYING)

    def settled(self, event: Event, reason: str | None) -> "Notice":
        return replace(self, state=LIFE.after(self.state, event), due_at=None, reason=reason)


class Caps(Struct, frozen=True):
    """Parts of texts in a day in Seoul: of all, and how many of them only links may use. Of the rest, what
    can wait (`adverts`, and reminders of points) leaves the last half to what customers must know."""

    parts: int
    for_links: int

    def most(self, template: Template) -> int:
        others = self.parts - self.for_links
        most = {"links": self.parts, "others": others, "adverts": others // 2}
        return most[self.whose(template)]

    def whose(self, template: Template) -> str:
        if template in CAN_WAIT:
            return "adverts"
        return "links" if template is Template.SMART_KEY_LINK else "others"


class Spending(Struct, frozen=True):
    """What operations see of a day's texts: what was spent, and the first of those that wait."""

    day: date
    spent: int
    caps: Caps
    waiting: tuple[Notice, ...]


def day_of(at: datetime) -> date:
    return at.astimezone(KST).date()


def with_text(times: Sequence[datetime], at: datetime) -> tuple[datetime, ...]:
    """The texts that still count for a number, and this one. NumberLimit when it is one too many."""
    recent = tuple(sent for sent in times if sent > at - TEXTS_WINDOW)
    if len(recent) >= TEXTS:
        raise NumberLimit(recent[-TEXTS] + TEXTS_WINDOW)
    return (*recent, at)


def after_cap(notice_id: str, at: datetime) -> datetime:
    """When to look again, at the latest in the first minutes of the next day in Seoul; not all at once."""
    midnight = datetime.combine(day_of(at) + DAY, datetime.min.time(), KST)
    own = timedelta(seconds=crc32(notice_id.encode()) % SPREAD.seconds)
    return min(at + SPREAD, midnight) + own


def night_over(at: datetime) -> datetime | None:
    """When advertising may go on; None when it is day in Seoul."""
    here = at.astimezone(KST)
    if NIGHT_UNTIL <= here.time() < NIGHT_FROM:
        return None
    day = here.date() + (DAY if here.time() >= NIGHT_FROM else timedelta())
    return datetime.combine(day, NIGHT_UNTIL, KST).astimezone(UTC)


def rest(at: datetime) -> None:
    """NightRest until the morning."""
    until = night_over(at)
    if until is not None:
        raise NightRest(until)


class Consent(Struct, frozen=True):
    given_at: datetime
    confirmed_at: datetime

    @property
    def confirm_by(self) -> datetime:
        return months_after(self.confirmed_at, CONFIRM_MONTHS)

    def holds(self, at: datetime) -> bool:
        return at < self.confirm_by


class Consents(Struct, frozen=True):
    """What a customer has agreed to; None: not, or no longer. `version`: how often they have said so."""

    customer_id: str
    marketing: Consent | None = None
    night: Consent | None = None
    version: int = 0

    def said(self, marketing: bool, night: bool, at: datetime) -> "Consents":
        """To agree again is to confirm. NightAlone."""
        if night and not marketing:
            raise NightAlone()
        return Consents(
            self.customer_id,
            _agreed(self.marketing, at) if marketing else None,
            _agreed(self.night, at) if night else None,
            self.version + 1,
        )

    def refuse(self, at: datetime) -> None:
        if self.marketing is None:
            raise NoConsent()
        if not self.marketing.holds(at):
            raise ConsentLapsed()

    def refuse_struck_off(self, struck_off: datetime | None) -> None:
        """When the number's owner last refused all advertising; who has agreed since then has agreed."""
        if struck_off and self.marketing and self.marketing.confirmed_at <= struck_off:
            raise OptedOut()

    def rest(self, at: datetime) -> None:
        """NightRest until the morning, unless nights are agreed to."""
        if not (self.night and self.night.holds(at)):
            rest(at)


def _agreed(before: Consent | None, at: datetime) -> Consent:
    return Consent(before.given_at if before else at, at)


def worth(amount: Won | None, percent: int | None, language: str) -> str:
    """In letters that cp949 has: it knows no sign for won but a wide one."""
    if amount is None:
        return f"{percent}%"
    return f"{amount:,} won" if language == "en" else f"{amount:,}원"


def until_day(at: datetime | None) -> str:
    """The last day in Seoul on which something that ends then can be used."""
    return f" (~{last_day(at)})" if at else ""


def last_day(at: datetime) -> str:
    last = (at - timedelta(microseconds=1)).astimezone(KST)
    return f"{last.month}/{last.day}"


def number_mark(key: str, phone: str) -> str:
    """Keyed, since eight digits can be guessed."""
    digest = hmac.new(key.encode(), f"texts|v1|{phone}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def text_of(template: Template, language: str, **values: str) -> str:
    """Korean where the language has no wording. Unsendable."""
    wordings = WORDS[template]
    text = wordings.get(language, wordings["ko"]).format(**values)
    if sms_bytes(text) > LMS_BYTES:
        raise Unsendable()
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
