"""The people's keys in a world: a plain book of grants, or the real smart keys on their memory store."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.contracts.model import phone_number, proven
from chalicelib.doors.model import Action, Command
from chalicelib.kernel.errors import Forbidden, HandoverError, Unauthenticated
from chalicelib.kernel.tables import Rows
from chalicelib.smartkeys.model import Order
from chalicelib.smartkeys.service import SmartKeyService
from tests.bench.road.lambdas import Lambdas, Port
from tests.conftest import NOON
from tests.smartkeys.examples import KEY, PHONE, Admission, Bills, Cars, Contracts, Driver
from tests.smartkeys.memory import MemorySmartKeys

PROOF = "900115"
HOLDERS = {"kim": "customer", "partner": "2", "driver": "3"}
DRIVERS = tuple(Driver(number, "김하나", PHONE) for number in ("1", "2", "3"))


class SessionOver(Unauthenticated):
    """This session is over."""


class GrantRevoked(Forbidden):
    """This smart key was revoked."""


@dataclass(frozen=True)
class Grant:
    grant_id: str
    contract_id: str
    car_id: str
    proven_at: datetime | None = NOON
    actions: frozenset[str] = frozenset(Action)
    reason: str | None = None
    refusal: HandoverError | None = None

    @property
    def who(self) -> str:
        return f"customer:{self.grant_id}"


class Keys(Protocol):
    """Holders as doors asks them, and what makes and ends a grant."""

    def admit(self, name: str, grant: Grant) -> None:
        """`name` is whose it is and stands for a session; the grant before it is over."""

    def who(self, name: str) -> tuple[str, str, str]:
        """Grant, contract and the word in the logs."""

    def revoke(self, grant_id: str) -> None: ...
    def holder(self, token: str | None, at: datetime) -> Any: ...
    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]: ...


class Grants:
    """A book, always read as it is now."""

    def __init__(self, _: Lambdas) -> None:
        self.by_name: dict[str, Grant] = {}
        self.revoked: set[str] = set()

    def admit(self, name: str, grant: Grant) -> None:
        self.by_name[name] = grant

    def who(self, name: str) -> tuple[str, str, str]:
        grant = self.by_name[name]
        return grant.grant_id, grant.contract_id, grant.who

    def holder(self, token: str | None, at: datetime) -> Grant:
        if token not in self.by_name:
            raise SessionOver()
        grant = self.by_name[token]
        return replace(grant, refusal=GrantRevoked()) if grant.grant_id in self.revoked else grant

    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]:
        revoked = look.row(lambda: command.grant_id in self.revoked)
        return lambda _: GrantRevoked() if revoked() else None

    def revoke(self, grant_id: str) -> None:
        self.revoked.add(grant_id)


class Proven(Contracts):
    def proves(self, contract_id: str, holder: str, proof: str) -> bool:
        return True


class SmartKeys:
    """The real service: each grant issued by operations, its link opened, its session kept by `name`."""

    def __init__(self, lambdas: Lambdas) -> None:
        self._contracts, self._store, self._lambdas = Proven(), MemorySmartKeys(), lambdas
        self._past: datetime | None = None
        self._sessions: dict[str, str] = {}
        self._who: dict[str, tuple[str, str, str]] = {}
        self._ids = 0
        port: Any = Port("keys", self._store, lambdas)
        self._service = self._on(port)
        self._by_hand = self._on(self._store)
        """Without boundaries, for what the world sets out."""

    def _on(self, store: Any) -> SmartKeyService:
        return SmartKeyService(
            store,
            self._contracts,
            Cars(),
            Bills(),
            lambda: KEY,
            phone_number,
            proven,
            self._now,
            self._new_id,
        )

    def _now(self) -> datetime:
        return self._past or self._lambdas.clock()

    def _new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids}"

    def admit(self, name: str, grant: Grant) -> None:
        self._contracts.known[grant.contract_id] = Admission("kim", grant.car_id, drivers=DRIVERS)
        self._past = grant.proven_at
        service, at = self._by_hand, grant.proven_at or NOON
        order = Order(
            order_id=f"ord_{grant.grant_id}",
            fingerprint="fp",
            grant_id=grant.grant_id,
            contract_id=grant.contract_id,
            holder=HOLDERS[name.partition("-")[0]],
            reason="called us",
            issuer="olga",
            not_after=at + timedelta(days=7),
        )
        issued = service.issue(order).grant
        code = service.link(issued.grant_id, issued.send_no).code
        self._sessions[name] = service.exchange(code, PROOF, None)
        holder = service.holder(self._sessions[name], at)
        self._who[name] = (holder.grant_id, holder.contract_id, holder.who)
        self._past = None

    def who(self, name: str) -> tuple[str, str, str]:
        return self._who[name]

    def holder(self, token: str | None, at: datetime) -> Any:
        return self._service.holder(self._sessions.get(token or ""), at)

    def still(self, look: Rows, command: Command) -> Callable[[datetime], HandoverError | None]:
        return self._service.still(look, command)

    def revoke(self, grant_id: str) -> None:
        contract_id = next(contract for grant, contract, _ in self._who.values() if grant == grant_id)
        self._service.revoke(contract_id, grant_id, "olga", "stolen")
