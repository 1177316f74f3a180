"""Through a link into a session, and who a session or a sign-in is to a car."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import HandoverError
from chalicelib.kernel.ids import keyed_id
from chalicelib.kernel.tables import Rows
from chalicelib.smartkeys.model import (
    CUSTOMER,
    PROOF_HOLDS,
    SESSION_LIFE,
    STAFF_WINDOW,
    UNLOCK,
    Grant,
    GrantRevoked,
    Holder,
    Kind,
    Link,
    LinkTaken,
    NotAssigned,
    OpenKey,
    Order,
    Origin,
    ProofWrong,
    ReasonNeeded,
    Refusal,
    Session,
    SessionEnded,
    Token,
    Told,
    kind_of,
    mark_of,
    session_token,
    staff,
    without_key,
)
from chalicelib.smartkeys.service.grants import while_it_moves
from chalicelib.smartkeys.service.links import Links
from chalicelib.smartkeys.service.ports import Admission, Command


class SmartKeyService(Links, frozen=True):
    # ---- links and sessions -------------------------------------------------------------------------------

    def exchange(self, code: str, proof: str, key: str | None, origin: Origin | None = None) -> str:
        """The session's cookie. A try is paid before the proof is looked at: parallel guesses are no cheaper.

        A code that is no link's is refused before a proof is looked at: nobody finds 132 bits by their time.
        """
        at = self.now()
        key_mark = mark_of(key) if key else None
        link = self.store.take_try(mark_of(code), key_mark, at)
        if not self._proves(link.contract_id, link.holder, proof):
            while_it_moves(lambda: self._guessed(link, origin, at))
            raise ProofWrong()
        token = Token(link.grant_id, session_token(self.link_key(), link.grant_id, link.send_no))
        if link.used:
            self.store.give_back(link.mark)
            return token.cookie
        session = Session(token.mark, link.grant_id, at + SESSION_LIFE, at, link.send_no)
        try:
            while_it_moves(lambda: self._opened(link, key_mark, session, origin, at))
        except LinkTaken:  # by our own twin, and it answers; or by another, and it refuses
            return self.exchange(code, proof, key, origin)
        return token.cookie

    def _opened(
        self, link: Link, key_mark: str | None, session: Session, origin: Origin | None, at: datetime
    ) -> None:
        grant = self._grant(link.grant_id)
        opened = replace(grant, opened_at=grant.opened_at or at)
        after, entry = self._told(opened, Told.OPENED, grant.who, at, origin)
        self.store.open(link, key_mark, session, after, entry, self._fact("Opened", grant, at))

    def _guessed(self, link: Link, origin: Origin | None, at: datetime) -> None:
        """A wrong proof is written down; the last one kills the link, and operations are told once."""
        grant = self._grant(link.grant_id)
        dies = link.tries_left <= 0 and not link.used and link.send_no == grant.send_no
        if not dies or grant.link_died:
            self._noted(grant, Told.PROOF_WRONG, origin, at)
            return
        dead = replace(grant, died_no=link.send_no)
        after, entry = self._told(dead, Told.LINK_DIED, grant.who, at, origin)
        self.store.died(after, entry, self._fact("LinkDied", grant, at, send_no=link.send_no))

    def _noted(self, grant: Grant, what: Told, origin: Origin | None, at: datetime) -> None:
        after, entry = self._told(grant, what, grant.who, at, origin)
        self.store.note(after, entry)

    def step_up(self, cookie: str | None, proof: str, origin: Origin | None = None) -> None:
        """A fresh proof for this session. As with links a try is paid first; after five it ends."""
        at = self.now()
        token = Token.read(cookie)
        session = self.store.try_session(token.mark, token.grant_id, at)
        grant = self._grant(session.grant_id)
        if refusal := self._refusal(grant, at):
            raise refusal
        if self._proves(grant.contract_id, grant.holder, proof):
            while_it_moves(lambda: self._proven(session, origin, at))
            return
        while_it_moves(lambda: self._missed(session, origin, at))
        raise ProofWrong()

    def _proven(self, session: Session, origin: Origin | None, at: datetime) -> None:
        grant = self._grant(session.grant_id)
        after, entry = self._told(grant, Told.STEPPED_UP, grant.who, at, origin)
        self.store.proven(replace(session, proven_at=at), after, entry)

    def _missed(self, session: Session, origin: Origin | None, at: datetime) -> None:
        grant = self._grant(session.grant_id)
        if session.tries_left > 0:
            self._noted(grant, Told.PROOF_WRONG, origin, at)
            return
        died_no = session.send_no if session.send_no == grant.send_no else grant.died_no
        after, entry = self._told(replace(grant, died_no=died_no), Told.SESSION_ENDED, grant.who, at, origin)
        fact = self._fact("SessionEnded", grant, at)
        self.store.close_session(session, after, entry, fact)

    def sign_out(self, cookie: str | None) -> None:
        """Whoever has no session is signed out already."""
        with suppress(SessionEnded):
            self.store.end_session(Token.read(cookie).mark)

    def view(self, cookie: str | None) -> OpenKey:
        """SessionEnded, or why not: GrantRevoked, GrantExpired, NotYetValid."""
        at = self.now()
        session, grant = self._session(cookie, at)
        if refusal := self._refusal(grant, at):
            raise refusal
        if not self.contracts.admission(grant.contract_id).open:
            raise GrantRevoked()  # and the fact that says so is on its way
        car, state = self.contracts.car(grant.car_id), self.cars.car_state(grant.car_id)
        until = session.proven_at + PROOF_HOLDS
        return OpenKey(grant, car, state, until, located=at < until)

    def _session(self, cookie: str | None, at: datetime) -> tuple[Session, Grant]:
        token = Token.read(cookie)
        found = self.store.session(token.mark, token.grant_id)
        if found is None or found[0].is_over(at):
            raise SessionEnded()
        return found

    # ---- who somebody is to a car -------------------------------------------------------------------------

    def holder(self, cookie: str | None, at: datetime) -> Holder:
        """Who this session is and what it may do. SessionEnded when nobody knows it."""
        session, grant = self._session(cookie, at)
        return Holder.of(grant, session.proven_at, self._refusal(grant, at))

    def holder_of(self, contract_id: str, caller: Caller, reason: str | None, at: datetime) -> Holder:
        """The customer, one of the drivers, or staff with a reason. NotFound for everybody else.

        A driver is known by a phone that signed in: whoever holds the phone has proven no more than that.
        """
        admission = self.contracts.admission(contract_id)
        if Group.OPS in caller.groups:
            grant = self._staff_grant(contract_id, admission.car_id, caller.id, reason, at)
            at = max(at, grant.not_before)  # made for this very question, a moment after it was asked
            return Holder.of(grant, caller.authenticated_at, self._refusal(grant, at), reason)
        asker = self._asker(admission, caller)
        if admission.car_id is None:
            raise NotAssigned()
        grant_now = self.store.latest(contract_id, asker.holder)
        if grant_now and grant_now.car_id != admission.car_id:
            self.follow(contract_id)
            grant_now = self.store.latest(contract_id, asker.holder)
        if grant_now is None:
            who = f"{kind_of(asker.holder)}:{caller.id}"
            return without_key(contract_id, admission.car_id, who)
        proven_at = caller.authenticated_at if asker.holder == CUSTOMER else None
        return Holder.of(grant_now, proven_at, self._refusal(grant_now, at))

    def _staff_grant(
        self, contract_id: str, car_id: str | None, sub: str, reason: str | None, at: datetime
    ) -> Grant:
        """Theirs for a quarter of an hour: made when they first ask, once however often that is."""
        if not reason:
            raise ReasonNeeded()
        known = self.store.latest(contract_id, staff(sub))
        if known and known.is_live(at) and known.car_id == car_id:
            return known
        words = ("staff", sub, contract_id, str(int(at.timestamp() // STAFF_WINDOW.total_seconds())))
        order = Order(
            order_id=keyed_id("ord", *words),
            fingerprint="staff",
            grant_id=keyed_id("grt", *words),
            contract_id=contract_id,
            holder=staff(sub),
            reason=reason,
            issuer=sub,
            not_after=at + STAFF_WINDOW,
        )
        return self.issue(order).grant

    def sees(self, contract_id: str, caller: Caller) -> None:
        """NotFound unless they may look at what this contract's smart keys did."""
        admission = self.contracts.admission(contract_id)
        if Group.OPS not in caller.groups:
            self._asker(admission, caller)

    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]:
        """Whether its grant may send it, asked right before it leaves, once `look` is fetched; None: it may.

        Its contract is asked too: what ended there ends here at once, also while the fact is on its way. A
        grant with so many uses spends one here on an UNLOCK, and gets it back when that opened nothing.
        """
        grant = self.store.granted(look, command.grant_id)
        admission = self.contracts.admitted(look, command.contract_id)
        return lambda at: self._still(command, grant(), admission(), at)

    def _still(
        self, command: Command, grant: Grant | None, admission: Admission, at: datetime
    ) -> HandoverError | None:
        if grant is None or not self._admits(admission, grant, command.car_id):
            return GrantRevoked()
        refusal = self._refusal(grant, at)
        if refusal or grant.max_uses is None or command.action != UNLOCK:
            return refusal
        try:
            self.store.take_use(grant, command.command_id, at)
        except Refusal as refused:
            return refused
        return None

    def _refusal(self, grant: Grant, at: datetime) -> Refusal | None:
        """Its own, or its giver's: what was given away is no better than what its giver has left."""
        giver = self.store.grant(grant.given_by) if grant.given_by else None
        return grant.refusal(at) or (giver.refusal(at) if giver else None)

    def _admits(self, admission: Admission, grant: Grant, car_id: str) -> bool:
        if not car_id == grant.car_id == admission.car_id:
            return False
        if grant.kind is Kind.STAFF:
            return self.contracts.car(car_id).contract_id == grant.contract_id
        named = {driver.number for driver in admission.drivers}
        return admission.open and (grant.kind is not Kind.DRIVER or grant.holder in named)
