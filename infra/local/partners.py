"""The simulated partners: loyalty programmes that take our customers' points, in memory.

What a member's number does is in its end:

| ends in | what happens                                                          |
|---------|-----------------------------------------------------------------------|
| 0002    | refused: nobody has that number                                       |
| 0069    | refused: the account is closed                                        |
| 0259    | taken, and the answer is sent twice                                   |
| 0341    | taken, and the answer comes too late for anybody to hear it           |
| others  | taken                                                                 |

A transfer's id happens once; asked again, it is answered as it was.
"""

import hashlib
import hmac
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from infra.local.bank import LATE_SECONDS, Answer, Json, No

REFUSALS = {"0002": "unknown_member", "0069": "closed"}
TWICE, LATE = "0259", "0341"


@dataclass
class Partners:
    """`secret`: with what requests must be signed; None: with anything. `away`: nothing works just now."""

    late: float = LATE_SECONDS
    secret: str | None = None
    away: bool = False
    transfers: dict[str, Json] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def must_be_signed(self, signed: bytes, signature: str) -> None:
        if self.away:
            raise No(503, "AWAY")
        right = "sha256=" + hmac.new((self.secret or "").encode(), signed, hashlib.sha256).hexdigest()
        shaped = re.fullmatch(r"sha256=[0-9a-f]{64}", signature)
        if not shaped or (self.secret is not None and not hmac.compare_digest(right, signature)):
            raise No(401, "BAD_SIGNATURE")

    def take(self, partner: str, asked: Json) -> Answer:
        name, account, points = asked.get("transfer_id"), str(asked.get("account", "")), asked.get("points")
        if not name or not account or not isinstance(points, int) or points < 1:
            raise No(400, "INVALID_REQUEST")
        with self.lock:
            known = self.transfers.get(name)
            transfer = known or self._transfer(partner, name, account, points)
            self.transfers[name] = transfer
        if known is None and account.endswith(LATE):
            time.sleep(self.late)
        return 200, self._shown(transfer)

    def find(self, name: str) -> Answer:
        if name not in self.transfers:
            raise No(404, "UNKNOWN_TRANSFER")
        return 200, self._shown(self.transfers[name])

    def given(self, account: str) -> int:
        """What that member has got."""
        taken = [it for it in self.transfers.values() if it["state"] == "accepted"]
        return sum(it["points"] for it in taken if it["account"] == account)

    def _transfer(self, partner: str, name: str, account: str, points: int) -> Json:
        reason = REFUSALS.get(account[-4:])
        state = "refused" if reason else "accepted"
        return {
            "partner": partner,
            "transfer_id": name,
            "account": account,
            "points": points,
            "state": state,
            "reason": reason,
        }

    def _shown(self, transfer: Json) -> dict[str, Any]:
        return {name: transfer[name] for name in ("transfer_id", "points", "state", "reason")}
