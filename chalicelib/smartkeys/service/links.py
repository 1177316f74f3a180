"""Links asked for again: by who lost one, by who gave the key, and by operations."""

import functools
from contextlib import suppress
from datetime import datetime

from chalicelib.kernel.auth import Caller
from chalicelib.kernel.ids import keyed_id
from chalicelib.smartkeys.model import (
    CUSTOMER,
    AlreadySent,
    Asks,
    Grant,
    GrantEnded,
    Kind,
    LinkGone,
    LinkToSend,
    Origin,
    Told,
    link_code,
    phone_mark,
)
from chalicelib.smartkeys.service.grants import Grants, while_it_moves


class Links(Grants, frozen=True):
    def resend(self, phone: str, proof: str, key: str | None, origin: Origin | None = None) -> None:
        """A new link for this phone's live grant, if the proof fits; silent about whether there was one.

        With several grants the one that has waited longest for a link is served. The same `key` sends once.
        Whoever holds a phone and not its owner's papers must not find them out by asking: a wrong proof is
        paid before it is looked at, and after five in a day nothing is sent, and operations are told.
        """
        at = self.now()
        mark = phone_mark(self.link_key(), self._number(phone, "/phone"))
        asks = while_it_moves(lambda: self._count_ask(mark, at))
        live = [grant for grant in self.store.of_phone(mark) if grant.is_live(at)]
        for grant in sorted(live, key=lambda grant: grant.link_until) if asks.may_prove else ():
            if self._proves(grant.contract_id, grant.holder, proof):
                while_it_moves(lambda: self._forgive(mark))
                ask_id = keyed_id("ask", grant.grant_id, key) if key else None
                with suppress(AlreadySent, GrantEnded):
                    self._renew(grant, ask_id, grant.who, origin)
                return
        if not live:
            self.contracts.proves("nobody", CUSTOMER, proof)  # a number that we know takes no longer
        for grant in live if asks.last_proof else ():
            while_it_moves(functools.partial(self._asks_stopped, grant.grant_id, origin, at))

    def _asks_stopped(self, grant_id: str, origin: Origin | None, at: datetime) -> None:
        """Its latest link stays: who only knows a number must not be able to strand its owner."""
        grant = self._grant(grant_id)
        after, entry = self._told(grant, Told.ASKS_STOPPED, grant.who, at, origin)
        self.store.note(after, entry, self._fact("AsksStopped", grant, at))

    def send_again(self, contract_id: str, grant_id: str, by: str, key: str) -> bool:
        """Operations send this grant's holder a new link, once for each key: False the second time."""
        return self._sent_again(self._of(contract_id, grant_id), by, key)

    def send_mine(
        self, contract_id: str, grant_id: str, caller: Caller, key: str, origin: Origin | None = None
    ) -> bool:
        """The same, asked by the customer for themselves and their drivers, or by a driver for themselves."""
        _, grant = self._seen_by(contract_id, grant_id, caller)
        return self._sent_again(grant, caller.id, key, origin, counted=True)

    def _sent_again(
        self, grant: Grant, by: str, key: str, origin: Origin | None = None, counted: bool = False
    ) -> bool:
        ask_id = keyed_id("ask", grant.grant_id, by, key)
        if self.store.asked(ask_id):
            return False
        if not grant.is_live(self.now()):
            raise GrantEnded()
        if counted:  # apart from what strangers ask for this number
            phone = self.party(grant.contract_id, grant.holder).phone
            mark = phone_mark(self.link_key(), f"signed in|{phone}")
            while_it_moves(lambda: self._count_ask(mark, self.now(), proving=False))
        try:
            self._renew(grant, ask_id, by, origin)
        except AlreadySent:
            return False
        return True

    def _count_ask(self, phone: str, at: datetime, *, proving: bool = True) -> Asks:
        seen = self.store.asks(phone)
        asks = seen.and_now(at, proving=proving)
        self.store.save_asks(phone, seen, asks)
        return asks

    def _forgive(self, phone: str) -> None:
        seen = self.store.asks(phone)
        self.store.save_asks(phone, seen, seen.proven)

    def _renew(self, seen: Grant, ask_id: str | None, who: str, origin: Origin | None = None) -> None:
        """GrantEnded; nothing when another request has just sent a link."""

        def renew() -> None:
            at, grant = self.now(), self._grant(seen.grant_id)
            if not grant.is_live(at) or grant.kind is Kind.STAFF:
                raise GrantEnded()
            if grant.send_no == seen.send_no:
                after, entry = self._told(grant.with_new_link(at), Told.LINK_MADE, who, at, origin)
                fact = self._link_issued(after, at)
                self.store.renew(ask_id, grant, after, self._link(grant, after), entry, fact)

        while_it_moves(renew)

    def link(self, grant_id: str, send_no: int) -> LinkToSend:
        """LinkGone when there is nothing left that this link could open."""
        grant, at = self._grant(grant_id), self.now()
        if not grant.is_live(at) or send_no != grant.send_no or at >= grant.link_until:
            raise LinkGone()
        code = link_code(self.link_key(), grant_id, send_no)
        return LinkToSend(grant.contract_id, grant.holder, code)
