"""What operations send and hear about incidents, and the facts this context publishes and understands."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from chalicelib.incidents.model import MOST_AFFECTED, DryRun, Funnel, Happened, Outcome, Row, Seen, Work
from chalicelib.kernel.errors import Malformed
from chalicelib.kernel.tables import cursor, position

INCIDENTS_IN_PAGE = 20
ROWS_IN_PAGE = 100
MOST_ROWS_IN_PAGE = 500

# The last group is for Python, whose `$` also matches before a line's end.
ContractId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=80)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class OpenRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A contract that is named twice counts once."""

    name: Name
    cause: Text
    contracts: Annotated[list[ContractId], Meta(min_length=1, max_length=MOST_AFFECTED)]


class GiveRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`not_after`: the end of the smart keys; in seven days when not given."""

    dry_run: bool = False
    not_after: Moment | None = None


class RevokeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Text


class OpenedView(Struct, frozen=True):
    incident_id: str
    affected: int


class IncidentView(Struct, frozen=True):
    """`dry_run`: the latest one, as far as it has come."""

    incident_id: str
    name: str
    cause: str
    state: str
    opened_by: str
    opened_at: datetime
    not_after: datetime | None
    asked_by: str | None
    asked_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    revoked_by: str | None
    revoked_at: datetime | None
    revoke_reason: str | None
    funnel: Funnel
    dry_run: DryRun | None

    @classmethod
    def of(cls, seen: Seen) -> "IncidentView":
        incident = seen.incident
        return cls(
            incident_id=incident.incident_id,
            name=incident.name,
            cause=incident.cause,
            state=incident.state.value,
            opened_by=incident.opened_by,
            opened_at=incident.opened_at,
            not_after=incident.not_after,
            asked_by=incident.asked_by,
            asked_at=incident.asked_at,
            approved_by=incident.approved_by,
            approved_at=incident.approved_at,
            revoked_by=incident.revoked_by,
            revoked_at=incident.revoked_at,
            revoke_reason=incident.revoke_reason,
            funnel=seen.funnel,
            dry_run=seen.dry_run,
        )


class IncidentList(Struct, frozen=True):
    incidents: list[IncidentView]
    next_cursor: str | None

    @classmethod
    def of(cls, seen: list[Seen], last: str | None) -> "IncidentList":
        return cls([IncidentView.of(each) for each in seen], cursor(last) if last else None)


class RowView(Struct, frozen=True):
    contract_id: str
    outcome: Outcome
    reason: str | None
    grant_id: str | None
    at: datetime


class IncidentRows(Struct, frozen=True):
    """`rows` as the cohort was named; with ?outcome= a page may hold fewer than its limit."""

    incident: IncidentView
    rows: list[RowView]
    next_cursor: str | None

    @classmethod
    def of(cls, seen: Seen, rows: list[Row], first: int, wanted: Outcome | None) -> "IncidentRows":
        shown = [
            RowView(row.contract_id, row.outcome, row.reason, row.grant_id, row.at)
            for row in rows
            if wanted in (None, row.outcome)
        ]
        after = first + len(rows)
        return cls(
            IncidentView.of(seen), shown, cursor(str(after)) if after < seen.incident.affected else None
        )


def first_row(query: dict[str, str]) -> int:
    """The number of the row a page begins with."""
    token = query.get("cursor")
    number = position(token) if token else "0"
    if not (number.isascii() and number.isdigit() and int(number[:9]) < MOST_AFFECTED):
        raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),))
    return int(number[:9])


def outcome_wanted(query: dict[str, str]) -> Outcome | None:
    """Of which rows alone are asked for."""
    named = query.get("outcome")
    try:
        return Outcome(named) if named else None
    except ValueError as problem:
        raise Malformed("unknown outcome", (("/outcome", "one of " + ", ".join(Outcome)),)) from problem


def listed_after(query: dict[str, str]) -> str | None:
    """The place in the list behind which a page begins."""
    token = query.get("cursor")
    last = position(token) if token else None
    if last is not None and not ("#" in last and len(last) <= 128):
        raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),))
    return last


class IncidentOpened(Struct, frozen=True):
    """Published."""

    incident_id: str
    affected: int


class IncidentApprovalAsked(Struct, frozen=True):
    """Published: so many smart keys wait for a second person."""

    incident_id: str
    affected: int


class IncidentWorkStarted(Struct, frozen=True):
    """Published, and heard by ourselves."""

    incident_id: str
    work: Work
    run: int


class IncidentWorkDone(Struct, frozen=True):
    """Published: every row of that run was tried."""

    incident_id: str
    work: Work
    run: int


class GrantHeard(Struct, frozen=True):
    """Heard: what NoticeSent, NoticeFailed and the facts of smart keys have in common. Not every notice is
    about a grant."""

    contract_id: str
    grant_id: str | None = None


HEARD = {
    "NoticeSent": Happened.TEXT_SENT,
    "NoticeFailed": Happened.TEXT_REFUSED,
    "SmartKeyOpened": Happened.LINK_OPENED,
    "SmartKeyUnlocked": Happened.CAR_UNLOCKED,
    "SmartKeyRevoked": Happened.KEY_REVOKED,
}
