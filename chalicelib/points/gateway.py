"""The partners' interface for transfers, ours for all of them, behind one address.

- POST /partners/{partner}/transfers {transfer_id, account, points} and GET .../transfers/{transfer_id} answer
  {transfer_id, state: accepted | refused, reason}. A transfer_id stands for one transfer, for ever.
- `X-Signature` is sha256=<hex HMAC-SHA256> of a POST's body and of a GET's path; each partner has its secret.
- 404 UNKNOWN_TRANSFER says that it was never heard of. Whatever else is not such an answer says nothing.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3
from msgspec import Struct

from chalicelib.points.model import PartnerRefused, Unanswered

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
"""Together well inside the API function's twenty; a transfer that takes longer is settled by the sweep."""
OK, MISSING = 200, 404
LONGEST_REASON = 40


class _Transfer(Struct):
    transfer_id: str = ""
    state: str = ""
    reason: str | None = None
    code: str = ""


class SignedPartners(Struct, frozen=True):
    """The office of `service.PartnerOffice`. `secret`: by its name, `partner-<partner>`. Without a `url` no
    partner takes anything yet, and nothing is sent."""

    connect: Callable[[], urllib3.PoolManager]
    url: str
    secret: Callable[[str], str]

    def transfer(self, partner_id: str, conversion_id: str, account: str, points: int) -> None:
        if not self.url:
            raise PartnerRefused("not_open")
        body = {"transfer_id": conversion_id, "account": account, "points": points}
        path = f"/partners/{quote(partner_id, safe='')}/transfers"
        status, said = self._ask("POST", path, partner_id, msgspec.json.encode(body))
        if status != OK:
            raise Unanswered()
        self._taken(said, conversion_id)

    def find(self, partner_id: str, conversion_id: str) -> bool:
        path = f"/partners/{quote(partner_id, safe='')}/transfers/{quote(conversion_id, safe='')}"
        status, said = self._ask("GET", path, partner_id)
        if status == MISSING and said.code == "UNKNOWN_TRANSFER":
            return False
        if status != OK:
            raise Unanswered()
        self._taken(said, conversion_id)
        return True

    def _taken(self, said: _Transfer, conversion_id: str) -> None:
        if said.transfer_id == conversion_id and said.state == "refused":
            raise PartnerRefused((said.reason or "refused")[:LONGEST_REASON])
        if said.transfer_id != conversion_id or said.state != "accepted":
            raise Unanswered()

    def _ask(
        self, method: str, path: str, partner_id: str, raw: bytes | None = None
    ) -> tuple[int, _Transfer]:
        """On a connection of its own: an answer that is sent twice must not answer the next question."""
        if not self.url:
            raise Unanswered()
        headers = {"X-Signature": self._signature(partner_id, raw or path.encode())}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self.connect() as http:
                answer: Any = http.request(method, self.url + path, body=raw, headers=headers)
            return answer.status, msgspec.json.decode(answer.data, type=_Transfer)
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError) as problem:
            raise Unanswered() from problem

    def _signature(self, partner_id: str, signed: bytes) -> str:
        secret = self.secret(f"partner-{partner_id}")
        return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def once(read: float = READ_SECONDS) -> urllib3.PoolManager:
    """Nothing is sent twice by itself: what became of a request is a question to ask, not to repeat."""
    return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read))
