"""Sending notices: once each, unless the answer was lost."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

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

CUSTOMER = "customer"
"""The holder whom a text about a contract is for."""


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
        template = Template.SMART_KEY_LINK
        notice_id = keyed_id("ntc", grant_id, str(send_no), template)
        until = self.now() + LEASE

        def send(notice: Notice) -> Notice:
            link = self.links.link(grant_id, send_no)
            self._text(template, link.contract_id, link.holder, f"/k#{link.code}")
            return replace(notice, contract_id=link.contract_id)

        self._once(Notice(notice_id, template, until, grant_id=grant_id, send_no=send_no), send)

    def tell(self, template: Template | None, contract_id: str, cause: str) -> None:
        """The customer, once for each cause (a fact's id), with the way to `/my`; no template, no text."""
        if template is None:
            return
        until = self.now() + LEASE

        def send(notice: Notice) -> Notice:
            self._text(template, contract_id, CUSTOMER, "/my")
            return notice

        self._once(Notice(keyed_id("ntc", cause, template), template, until, contract_id), send)

    def _once(self, notice: Notice, send: Callable[[Notice], Notice]) -> None:
        with suppress(AlreadySettled):
            self.store.claim(notice, self.now())
            try:
                sent = send(notice)
            except (SmsRefused, Conflict, NotFound) as problem:
                self._settle(notice, Event.REFUSED, problem.code)
            else:
                self._settle(sent, Event.ACCEPTED, None)

    def _text(self, template: Template, contract_id: str, holder: str, way: str) -> None:
        party = self.parties.party(contract_id, holder)
        self.sms.send(party.phone, text_of(template, party.language, link=self.site_url + way))

    def _settle(self, notice: Notice, event: Event, reason: str | None) -> None:
        at, state = self.now(), LIFE.after(notice.state, event)
        self.store.settle(notice, state, reason, at, self._sent(notice, at) if state == State.SENT else None)

    def _sent(self, notice: Notice, at: datetime) -> Fact:
        about = {"notice_id": notice.notice_id, "contract_id": notice.contract_id}
        link = {"grant_id": notice.grant_id, "send_no": notice.send_no} if notice.grant_id else {}
        data = about | link | {"template": notice.template.value}
        name = "NoticeSent" if link else "CustomerTold"
        return Fact.of(name, "notices", notice.notice_id, at=at, id=self.new_id("evt"), data=data)
