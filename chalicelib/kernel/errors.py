"""What can go wrong, in the words of the business.

HandoverError
├── Malformed        the request cannot be read (fields: one entry per wrong field)
├── Unauthenticated  nobody, or nobody we can prove
├── Forbidden        known, and not allowed
├── NotFound         unknown, or somebody else's
├── WrongMethod      a known path, asked in a way it does not know
├── Unsupported      a media type this route does not read
├── TooLarge         a body above the limit
├── Conflict         a race lost, or a state that has moved on
├── Stale            If-Match did not match
├── Refused          understood, and refused by a rule
│   └── KeyReused    an Idempotency-Key seen before with another body
├── TooMany          a limit reached; retry_after in seconds
└── Busy             still contended after retries; retry_after in seconds
    └── Conflicted   one attempt met another transaction

A context derives its own errors from a family. The first line of the docstring is the problem's title,
the class name in upper snake case its stable code. Only `kernel.http` knows the status codes.
"""

import re
from typing import Any, ClassVar


class HandoverError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "HANDOVER_ERROR"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(self, detail: str = "", **extra: Any) -> None:
        """`extra` becomes members of the problem document; never put personal data or secrets there."""
        super().__init__(detail or self.title())
        self.extra = extra

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Malformed(HandoverError):
    """The request could not be read."""

    def __init__(self, detail: str = "", fields: tuple[tuple[str, str], ...] = ()) -> None:
        """`fields`: pairs of JSON pointer and what is wrong there."""
        super().__init__(detail)
        self.fields = fields


class Unauthenticated(HandoverError):
    """Sign in first."""


class Forbidden(HandoverError):
    """This is not yours to do."""


class NotFound(HandoverError):
    """There is nothing here by that name."""


class WrongMethod(HandoverError):
    """This path does not know that method."""


class Unsupported(HandoverError):
    """This route does not read that media type."""


class TooLarge(HandoverError):
    """The body is too large."""


class Conflict(HandoverError):
    """Somebody else was faster; look again."""


class Stale(HandoverError):
    """The version you changed is not the current one."""


class Refused(HandoverError):
    """A rule forbids this."""


class KeyReused(Refused):
    """This Idempotency-Key was used before with another body."""


class TooMany(HandoverError):
    """Too many tries; wait a moment."""

    def __init__(self, detail: str = "", retry_after: int = 60, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class Busy(HandoverError):
    """The service is busy; try again."""

    def __init__(self, detail: str = "", retry_after: int = 1, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class Conflicted(Busy):
    """Another transaction held one of the items."""
