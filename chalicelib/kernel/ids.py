"""Identifiers: opaque, prefixed with what they name, in Crockford's base32 (crockford.com/base32.html)."""

import hashlib
import secrets
import time

import msgspec

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
DIGITS = 26


def _base32(number: int) -> str:
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(5 * (DIGITS - 1), -1, -5))


def new_id(prefix: str) -> str:
    """48 bits of milliseconds before 80 random ones (the layout of a ULID), so that ids sort by age."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{_base32(milliseconds << 80 | secrets.randbits(80))}"


def keyed_id(prefix: str, *parts: str) -> str:
    """The same parts always give the same id: a caller's Idempotency-Key becomes the record's own key."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return f"{prefix}_{_base32(int.from_bytes(digest[:16], 'big'))}"


def fingerprint(body: msgspec.Struct) -> str:
    """Hex SHA-256 of the body's canonical JSON; kept beside a record to tell a retry from another request."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()
