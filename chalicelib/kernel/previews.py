"""A preview of money holds for ten minutes: what was shown is what is posted, also when a rule's hour passes.

The token carries the moment of the preview and proves it (HMAC-SHA256); a commit that brings it is priced for
that moment, by the same code. `subject` names what was previewed and the version it was seen at, so that a
token fits nothing else, nor the same thing once it has changed.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from chalicelib.kernel.errors import Refused

HOLDS_FOR = timedelta(minutes=10)


class PreviewExpired(Refused):
    """What you were shown no longer holds; look again."""


class Previews(Struct, frozen=True):
    secret: Callable[[], str]

    def token(self, subject: str, at: datetime) -> str:
        """Ends in hex; the moment is cut to the millisecond."""
        milliseconds = _milliseconds(at)
        return f"{milliseconds}.{self._proof(subject, milliseconds)}"

    def moment(self, subject: str, token: str, now: datetime) -> datetime:
        """When it was previewed. PreviewExpired when that is too long ago, or it was something else."""
        text, _, proof = token.partition(".")
        milliseconds = int(text) if text.isascii() and text.isdigit() and len(text) < 15 else 0
        if not hmac.compare_digest(self._proof(subject, milliseconds).encode(), proof.encode()):
            raise PreviewExpired()
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        if now > at + HOLDS_FOR:
            raise PreviewExpired()
        return at

    def _proof(self, subject: str, milliseconds: int) -> str:
        said = f"preview|v1|{subject}|{milliseconds}".encode()
        return hmac.new(self.secret().encode(), said, hashlib.sha256).hexdigest()


def _milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
