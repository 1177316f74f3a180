"""Sending notices: once each, unless the answer was lost."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from chalicelib.kernel.clock import Clock
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.ids import keyed_id
from chalicelib.notices.model import (
    LEASE,
    LIFE,
    AlreadySettled,
    Event,
    Notice,
    SmsRefused,
    State,
    Template,
    text_of,
)


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


class Sms(Protocol):
    """SmsRefused when trying again is useless; any other error leaves open whether it went out."""

    def send(self, phone: str, text: str) -> None: ...


class Store(Protocol):
    def claim(self, notice: Notice, at: datetime) -> None:
        """A new notice, or a PENDING one whose lease is over. AlreadySettled, BeingSent."""

    def settle(
        self, notice: Notice, state: State, reason: str | None, at: datetime, fact: Fact | None
    ) -> None:
        """AlreadySettled."""


class NoticeService(Struct, frozen=True):
    store: Store
    links: Links
    parties: Parties
    sms: Sms
    site_url: str
    now: Clock
    new_id: Callable[[str], str]

    def send_link(self, grant_id: str, send_no: int) -> None:
        """Heard twice, sent once. BeingSent while another run holds the lease: the event comes again."""
        at, template = self.now(), Template.SMART_KEY_LINK
        notice_id = keyed_id("ntc", grant_id, str(send_no), template)
        notice = Notice(notice_id, grant_id, send_no, template, leased_until=at + LEASE)
        with suppress(AlreadySettled):
            self.store.claim(notice, at)
            self._settle(notice, *self._tried(notice))

    def _tried(self, notice: Notice) -> tuple[Event, str | None]:
        try:
            self._send(notice)
        except (SmsRefused, Conflict, NotFound) as problem:
            return Event.REFUSED, problem.code
        return Event.ACCEPTED, None

    def _send(self, notice: Notice) -> None:
        link = self.links.link(notice.grant_id, notice.send_no)
        party = self.parties.party(link.contract_id, link.holder)
        text = text_of(notice.template, party.language, link=f"{self.site_url}/k#{link.code}")
        self.sms.send(party.phone, text)

    def _settle(self, notice: Notice, event: Event, reason: str | None) -> None:
        at, state = self.now(), LIFE.after(notice.state, event)
        self.store.settle(notice, state, reason, at, self._sent(notice, at) if state == State.SENT else None)

    def _sent(self, notice: Notice, at: datetime) -> Fact:
        data = {
            "notice_id": notice.notice_id,
            "grant_id": notice.grant_id,
            "send_no": notice.send_no,
            "template": notice.template.value,
        }
        return Fact.of("NoticeSent", "notices", notice.notice_id, at=at, id=self.new_id("evt"), data=data)
