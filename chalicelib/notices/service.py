"""Sending notices: once each, unless the answer was lost, and never more than a number or a day may have.

What cannot go out now waits in its own row for its time, and a sweep takes it up: an event comes again three
times at most, and a day's cap may last for hours.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock, stamp
from chalicelib.kernel.deadlines import SHARDS, Report, sweep
from chalicelib.kernel.errors import Conflict, HandoverError, NotFound, Refused
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.notices.model import (
    AdvertRefused,
    AlreadyHeard,
    AlreadySettled,
    AlreadyTold,
    Caps,
    Consents,
    ConsentsMoved,
    DailyCap,
    Event,
    Expiring,
    GiftName,
    NightRest,
    NoNumber,
    NoOptOutNumber,
    NothingExpires,
    Notice,
    SmsRefused,
    SmsUnavailable,
    Spending,
    State,
    TakenUp,
    Template,
    TextsLimited,
    TextsMoved,
    after_cap,
    day_of,
    last_day,
    number_mark,
    rest,
    sms_parts,
    text_of,
    until_day,
    with_text,
    worth,
)

CUSTOMER = "customer"
"""The holder whom a text about a contract is for."""
ATTEMPTS = 5
MOST_IN_A_SWEEP = 400
"""So many texts fit into one run; the rest is due a minute later, and the shards take turns."""
MOST_SHOWN = 100
TOO_LATE = "TOO_LATE"


class Link(Protocol):
    @property
    def contract_id(self) -> str: ...
    @property
    def holder(self) -> str: ...
    @property
    def code(self) -> str: ...


class Party(Protocol):
    @property
    def phone(self) -> str: ...
    @property
    def language(self) -> str: ...


class Links(Protocol):
    """The same grant and number always give the same link. Conflict when it is no longer the one to send."""

    def link(self, grant_id: str, send_no: int) -> Link: ...


class Parties(Protocol):
    """`phone` in E.164. NotFound."""

    def party(self, contract_id: str, holder: str) -> Party: ...


class Gift(Protocol):
    """A coupon in somebody's box: won or percent, and its last moment."""

    @property
    def customer_id(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def amount(self) -> int | None: ...
    @property
    def percent(self) -> int | None: ...
    @property
    def until(self) -> datetime | None: ...


class Gifts(Protocol):
    """NotFound. Conflict when it is no longer worth a text: used, void, or its campaign over."""

    def gift(self, campaign_id: str, batch_id: str, number: int) -> Gift: ...


class Points(Protocol):
    def expiring(self, customer_id: str, end: datetime) -> tuple[int, int]:
        """How many points are still there that will be gone then: earned by paying, and given."""


class Customers(Protocol):
    """How to reach a customer, whatever for. NotFound when nobody knows a number."""

    def customer(self, customer_id: str) -> Party: ...


class OptOut(Protocol):
    @property
    def phone(self) -> str: ...
    @property
    def at(self) -> datetime: ...


class OptOuts(Protocol):
    """Calls to the free number, as its operator reports them. BadSignature, Malformed."""

    def call(self, raw: bytes, signature: str) -> OptOut: ...


class Sms(Protocol):
    """A text of more than 90 bytes is a long one; whether it goes out in parts or as LMS is its adapter's.

    SmsRefused when trying again is useless, SmsUnavailable when it did not go out, SmsUnsure when nobody
    knows."""

    def send(self, phone: str, text: str) -> None: ...


class Store(Protocol):
    """Every write is one transaction."""

    def begin(self, notice: Notice) -> None:
        """AlreadyHeard."""

    def due(self, shard: int, until: datetime) -> Iterator[Sequence[Notice]]: ...
    def move(self, before: Notice, after: Notice) -> None:
        """TakenUp when it is not as `before`."""

    def settle(self, notice: Notice, at: datetime, fact: Fact | None) -> None:
        """Counts what became of a gift's text too. AlreadySettled."""

    def texts_of(self, campaign_id: str, batch_id: str) -> dict[str, int]:
        """How many gifts' texts were SENT, or refused for which reason."""

    def waiting(self, most: int, at: datetime) -> list[Notice]:
        """Soonest first; may lag by a moment."""

    def texts_to(self, number: str) -> Sequence[datetime]: ...
    def save_texts(self, number: str, seen: Sequence[datetime], times: Sequence[datetime]) -> None:
        """TextsMoved when they are not as `seen`."""

    def spend(self, day: date, parts: int, most: int) -> bool:
        """False, and nothing spent, when the day would have spent more than `most`."""

    def give_back(self, day: date, parts: int) -> None: ...
    def spent(self, day: date) -> int: ...
    def tell_cap(self, day: date, whose: str, at: datetime, fact: Fact) -> None:
        """AlreadyTold."""

    def consents(self, customer_id: str) -> Consents: ...
    def agree(self, before: Consents, after: Consents) -> None:
        """ConsentsMoved when they are not as `before`."""

    def strike_off(self, number: str, at: datetime) -> None:
        """For ever; of several the latest counts."""

    def struck_off(self, number: str) -> datetime | None: ...


class _Text(Struct, frozen=True):
    """What goes out, to whom; it is never stored, and never shown."""

    phone: str
    words: str

    def __repr__(self) -> str:
        return "_Text()"


class NoticeService(Struct, frozen=True):
    """`number_key`: the secret under which numbers are known. `opt_out`: where advertising is refused for
    free; without it none goes out."""

    store: Store
    links: Links
    parties: Parties
    gifts: Gifts
    points: Points
    customers: Customers
    opt_outs: OptOuts
    sms: Sms
    site_url: str
    opt_out: str
    caps: Caps
    number_key: Callable[[], str]
    now: Clock
    new_id: Callable[[str], str]

    def send_link(self, grant_id: str, send_no: int) -> State | None:
        """Where the notice then stands; None when it was heard before."""
        template = Template.SMART_KEY_LINK
        notice_id = keyed_id("ntc", grant_id, str(send_no), template)
        return self._begin(Notice.new(notice_id, template, self.now(), grant_id=grant_id, send_no=send_no))

    def tell(self, template: Template | None, contract_id: str, cause: str) -> State | None:
        """The customer, once for each cause (a fact's id), with the way to `/my`; no template, no text."""
        if template is None:
            return None
        notice_id = keyed_id("ntc", cause, template)
        return self._begin(Notice.new(notice_id, template, self.now(), contract_id=contract_id))

    def advertise(self, gift: GiftName) -> State | None:
        """That a coupon lies in somebody's box, once; None when it was heard before."""
        template = Template.COUPON_GIVEN
        notice_id = keyed_id("ntc", gift.campaign_id, gift.batch_id, str(gift.number), template)
        return self._begin(Notice.new(notice_id, template, self.now(), gift=gift))

    def remind(self, expiring: Expiring) -> State | None:
        """That points expire soon, once; None when it was heard before."""
        template = Template.POINTS_EXPIRING
        notice_id = keyed_id("ntc", expiring.customer_id, stamp(expiring.at), template)
        return self._begin(Notice.new(notice_id, template, self.now(), expiring=expiring))

    def sweep(self) -> Report:
        """Takes up what was left behind by a run that is gone, and what has its turn now."""
        at = self.now()
        return sweep(
            lambda shard: self.store.due(shard, at),
            self._take_up,
            shards=random.sample(range(SHARDS), SHARDS),
            most=MOST_IN_A_SWEEP,
            hand_on=lambda _: None,
        )

    def spending(self) -> Spending:
        at = self.now()
        day = day_of(at)
        return Spending(day, self.store.spent(day), self.caps, tuple(self.store.waiting(MOST_SHOWN, at)))

    def texts_of(self, campaign_id: str, batch_id: str) -> dict[str, int]:
        """How many gifts' texts were SENT, or refused for which reason."""
        return self.store.texts_of(campaign_id, batch_id)

    # ---- consents -----------------------------------------------------------------------------------------

    def consents(self, by: Caller) -> Consents:
        return self.store.consents(by.id)

    def agree(self, by: Caller, marketing: bool, night: bool) -> Consents:
        """What the customer agrees to from now on; to say it again is to confirm it. NightAlone."""
        for _ in range(ATTEMPTS):
            before = self.store.consents(by.id)
            after = before.said(marketing, night, self.now())
            with suppress(ConsentsMoved):
                self.store.agree(before, after)
                return after
        raise ConsentsMoved()

    def strike_off(self, raw: bytes, signature: str) -> None:
        """The number's owner refuses all advertising, until a customer who has it agrees anew."""
        call = self.opt_outs.call(raw, signature)
        self.store.strike_off(number_mark(self.number_key(), call.phone), min(call.at, self.now()))

    # ---- how a notice goes out ----------------------------------------------------------------------------

    def _begin(self, notice: Notice) -> State | None:
        with suppress(AlreadyHeard):
            self.store.begin(notice)
            return self._send(notice)
        return None

    def _take_up(self, seen: Notice) -> bool:
        notice = seen.taken_up(self.now())
        try:
            self.store.move(seen, notice)
        except TakenUp:
            return False
        with suppress(HandoverError):  # it is due again when its lease is over
            self._send(notice)
        return True

    def _send(self, notice: Notice) -> State:
        try:
            notice, text = self._addressed(notice)
        except NightRest as rest:
            return self._wait(notice, rest)
        except (Refused, Conflict, NotFound) as problem:
            return self._settle(replace(notice, contract_id=None), Event.REFUSED, problem.code)
        if notice.too_late(self.now()):
            return self._settle(notice, Event.REFUSED, TOO_LATE)
        try:
            self._hand_over(notice, text)
        except TextsLimited as limit:
            return self._wait(notice, limit)
        except SmsRefused as problem:
            return self._settle(notice, Event.REFUSED, problem.code)
        return self._settle(notice, Event.ACCEPTED, None)

    def _addressed(self, notice: Notice) -> tuple[Notice, _Text]:
        if notice.gift is not None:
            return notice, self._advert(notice.template, notice.gift)
        if notice.expiring is not None:
            return self._reminder(notice, notice.expiring)
        if notice.grant_id is None or notice.send_no is None:
            return notice, self._text(notice, str(notice.contract_id), CUSTOMER, "/my")
        link = self.links.link(notice.grant_id, notice.send_no)
        text = self._text(notice, link.contract_id, link.holder, f"/k#{link.code}")
        return replace(notice, contract_id=link.contract_id), text

    def _text(self, notice: Notice, contract_id: str, holder: str, way: str) -> _Text:
        party = self.parties.party(contract_id, holder)
        return _Text(party.phone, text_of(notice.template, party.language, link=self.site_url + way))

    def _advert(self, template: Template, name: GiftName) -> _Text:
        """NightRest, AdvertRefused, Conflict or NotFound when it may not go to this customer, or not now."""
        gift = self.gifts.gift(name.campaign_id, name.batch_id, name.number)
        consents, party = self._agreed(gift.customer_id)
        consents.rest(self.now())
        words = text_of(
            template,
            party.language,
            worth=worth(gift.amount, gift.percent, party.language),
            until=until_day(gift.until),
            code=gift.code,
            link=self.site_url + "/my",
            opt_out=self.opt_out,
        )
        return _Text(party.phone, words)

    def _reminder(self, notice: Notice, expiring: Expiring) -> tuple[Notice, _Text]:
        """Of given points only whoever agreed to advertising is told; of earned ones everybody, and nobody at
        night: points expire at midnight, so it is said at midnight that they will."""
        rest(self.now())
        customer_id = expiring.customer_id
        earned, given = self.points.expiring(customer_id, expiring.at)
        if not earned + given:
            raise NothingExpires()
        if given:
            try:
                self._agreed(customer_id)
            except AdvertRefused:
                if not earned:
                    raise
                given = 0
        party = self._customer(customer_id)
        template = Template.GIVEN_EXPIRING if given else Template.POINTS_EXPIRING
        words = text_of(
            template,
            party.language,
            points=f"{earned + given:,}",
            day=last_day(expiring.at),
            link=self.site_url + "/my",
            opt_out=self.opt_out,
        )
        return replace(notice, template=template), _Text(party.phone, words)

    def _agreed(self, customer_id: str) -> tuple[Consents, Party]:
        """AdvertRefused when this customer may not hear, or cannot be reached, by day."""
        if not self.opt_out:
            raise NoOptOutNumber()
        consents = self.store.consents(customer_id)
        consents.refuse(self.now())
        party = self._customer(customer_id)
        consents.refuse_struck_off(self.store.struck_off(number_mark(self.number_key(), party.phone)))
        return consents, party

    def _customer(self, customer_id: str) -> Party:
        try:
            return self.customers.customer(customer_id)
        except NotFound:
            raise NoNumber() from None

    def _hand_over(self, notice: Notice, text: _Text) -> None:
        """Counted first, each time: whatever becomes of this try, a number never gets more than its texts."""
        at, parts = self.now(), sms_parts(text.words)
        number, day = number_mark(self.number_key(), text.phone), day_of(at)
        with_text(self.store.texts_to(number), at)
        if not self.store.spend(day, parts, self.caps.most(notice.template)):
            raise DailyCap(after_cap(notice.notice_id, at))
        try:
            self._count(number)
            self.sms.send(text.phone, text.words)
        except (TextsLimited, SmsRefused, SmsUnavailable):
            self.store.give_back(day, parts)
            raise

    def _count(self, number: str) -> None:
        for _ in range(ATTEMPTS):
            seen = self.store.texts_to(number)
            with suppress(TextsMoved):
                self.store.save_texts(number, seen, with_text(seen, self.now()))
                return
        raise SmsUnavailable("many texts to one number at once")

    def _wait(self, notice: Notice, limit: TextsLimited) -> State:
        if isinstance(limit, DailyCap):
            self._tell_cap(notice)
        after = notice.waiting(limit)
        with suppress(TakenUp):
            self.store.move(notice, after)
        return after.state

    def _tell_cap(self, notice: Notice) -> None:
        at = self.now()
        day, whose = day_of(at), self.caps.whose(notice.template)
        data = {"day": day.isoformat(), "whose": whose, "parts": self.caps.most(notice.template)}
        fact = Fact.of("SmsCapReached", "notices", day.isoformat(), at=at, id=self.new_id("evt"), data=data)
        with suppress(AlreadyTold):
            self.store.tell_cap(day, whose, at, fact)

    def _settle(self, notice: Notice, event: Event, reason: str | None) -> State:
        at, after = self.now(), notice.settled(event, reason)
        with suppress(AlreadySettled):
            self.store.settle(after, at, self._news(after, at))
        return after.state

    def _news(self, notice: Notice, at: datetime) -> Fact | None:
        """None when there is nobody to speak of: what was to be sent is over, or the contract unknown."""
        if notice.contract_id is None:
            return None
        data = {"notice_id": notice.notice_id, "contract_id": notice.contract_id}
        link = {"grant_id": notice.grant_id, "send_no": notice.send_no} if notice.grant_id else {}
        if notice.state == State.SENT:
            name, more = "NoticeSent" if link else "CustomerTold", {}
        else:
            name, more = "NoticeFailed", {"reason": notice.reason}
            link = {"grant_id": notice.grant_id, "send_no": notice.send_no}
        about = data | link | {"template": notice.template.value} | more
        return Fact.of(name, "notices", notice.notice_id, at=at, id=self.new_id("evt"), data=about)
