"""Reconciliation: the books, the checkouts' records and the counters tell of the same movements, each on its
own. What one of them says alone is wrong, and by how much the other two say.

A row of the books also proves itself by its mark. So a record and a row that disagree are settled by the
counters where the movement touches one, and by the mark where it does not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from chalicelib.kernel.money import Entry, Leg, Won
from chalicelib.ledger.model.books import Booked, booked, subject_of

IN_FLIGHT = timedelta(minutes=10)
"""A reservation's entry is booked when its fact is heard; so much younger, it may still be under way."""
RECORD = "checkout CHECKOUT#"
"""What the item of a wrong record begins with."""

Value = int | str | None


class Difference(Struct, frozen=True):
    """`item` is the row that is wrong; `amount`: found - expected where both are numbers, else the money that
    hangs on it."""

    item: str
    account: str
    expected: Value
    found: Value
    amount: Won

    @property
    def of_a_record(self) -> bool:
        return self.item.startswith(RECORD)


class Record(Struct, frozen=True):
    """A checkout as its row tells it. `active`: it holds its coupon. `odd`: (field, what its other fields say
    it must be, what it is), where the row contradicts itself. `counted`: the accounts where it counts as one
    use."""

    checkout_id: str
    book: str
    customer_id: str
    order_id: str
    coupon_id: str | None
    state: str
    active: bool
    reserved_at: datetime
    entries: tuple[Entry, ...]
    odd: tuple[tuple[str, Value, Value], ...] = ()
    counted: tuple[str, ...] = ()

    @property
    def item(self) -> str:
        return RECORD + self.checkout_id

    @property
    def worth(self) -> Won:
        """What its coupon took off: what hangs on the coupon's row."""
        legs = self.entries[0].legs if self.entries else ()
        return sum(leg.amount for leg in legs if leg.amount > 0 and leg.account.startswith("campaign/"))


class Counted(Struct, frozen=True):
    """A row in which others add up, and what it holds of each account."""

    item: str
    holds: dict[str, Won]


class Counts(Struct, frozen=True):
    """How often, not how much: a campaign's uses by account. `states`: the switch of each of its rows."""

    uses: tuple[Counted, ...] = ()
    states: dict[str, str] = {}


class Held(Struct, frozen=True):
    """A coupon as its row tells it."""

    used: bool
    used_by: str | None


class _Dispute(Struct, frozen=True):
    """Of one movement, the books and the record do not say the same: it is in one of them only."""

    row: Booked
    booked: bool
    record: Record | None


class Tally(Struct):
    """What the books say, added up while they are read against the records."""

    sums: Counter[str] = field(default_factory=Counter)
    found: list[Difference] = field(default_factory=list)
    disputes: list[_Dispute] = field(default_factory=list)
    unknown: list[Booked] = field(default_factory=list)
    checked: int = 0

    def read(
        self, rows: Sequence[Booked], records: Mapping[str, Record], since: datetime, at: datetime
    ) -> None:
        """All rows since then of some subjects, and the records of these subjects."""
        self.checked += len(rows) + len(records)
        by_subject: dict[str, dict[str, Booked]] = {}
        for row in rows:
            by_subject.setdefault(subject_of(row.cause), {})[row.cause] = row
        for subject in by_subject.keys() | records.keys():
            record = records.get(subject)
            mine = by_subject.get(subject, {})
            if record is not None:
                self._compare(mine, record, since, at)
            elif any(row.book != subject for row in mine.values()):
                self._lost(subject, mine.values())
            else:
                self._alone(mine.values())

    def _alone(self, rows: Iterable[Booked]) -> None:
        """A campaign's own entries: no record tells of them."""
        for row in rows:
            if row.whole:
                self.sums.update(row.holds)
            else:
                self.unknown.append(row)

    def _lost(self, subject: str, rows: Collection[Booked]) -> None:
        """A checkout that is in the books has no record."""
        item = RECORD + subject
        missing = _sum(row.holds for row in rows)
        self.sums.update(missing)
        abouts = [row.entry.about for row in rows if row.entry]
        for name in ("customer_id", "coupon_id"):
            if whose := next((about[name] for about in abouts if about.get(name)), None):
                self.found.append(Difference(item, name, whose, None, 0))
        for account, amount in sorted(missing.items()):
            self.found.append(Difference(item, account, amount, None, -amount))

    def _compare(self, rows: Mapping[str, Booked], record: Record, since: datetime, at: datetime) -> None:
        for name, expected, found in record.odd:
            self.found.append(Difference(record.item, name, expected, found, _apart_by(expected, found)))
        told = {entry.cause: entry for entry in record.entries if entry.at >= since}
        wrong = False
        for cause in sorted(rows.keys() | told.keys()):
            row, entry = rows.get(cause), told.get(cause)
            if row is None and entry is not None:
                self._unbooked(entry, record, at)
            elif row is not None and entry is None and cause_told_before(cause, record, since):
                wrong = True
                self.sums.update(row.holds)
            elif row is not None and entry is None:
                self.disputes.append(_Dispute(row, True, record))
                self.sums.update(row.holds)
            elif row is not None and entry is not None:
                wrong = self._agree(row, entry) or wrong
        if wrong:
            self.found.extend(_wrong(record, rows, told))

    def _unbooked(self, entry: Entry, record: Record, at: datetime) -> None:
        if entry.what == "reserved" and at - entry.at < IN_FLIGHT:
            self.sums.update(_holds(entry.legs))
        else:
            self.disputes.append(_Dispute(booked(entry), False, record))

    def _agree(self, row: Booked, entry: Entry) -> bool:
        """Whether the record is the one that is wrong."""
        if row.whole:
            self.sums.update(row.holds)
            return not _same(row.entry, entry)
        self.sums.update(_holds(entry.legs))
        self.found.extend(_changed(row, booked(entry)))
        return False

    def against(self, counters: Sequence[Counted]) -> list[Difference]:
        """All differences, with the counters as the third witness."""
        counted = {account: amount for each in counters for account, amount in each.holds.items()}
        gaps = {account: amount - self.sums[account] for account, amount in counted.items()}
        found = list(self.found)
        for dispute in self.disputes:
            found.extend(_settled(dispute, gaps))
        for row in self.unknown:
            found.extend(_told_by_counters(row, gaps))
        for each in counters:
            for account, amount in each.holds.items():
                if gap := gaps[account]:
                    found.append(Difference(each.item, account, amount - gap, amount, gap))
        return found


def lost(campaign_id: str, sums: Mapping[str, Won]) -> Difference:
    """A campaign that is in the books, and nowhere else."""
    account = f"campaign/{campaign_id}/budget"
    budget = sums.get(account, 0)
    return Difference(f"campaign CAMPAIGN#{campaign_id}", account, budget, None, -budget)


def unreadable(book: str, problem: Exception) -> Difference:
    """Some row that this book is read against."""
    return Difference(f"book {book}", "problem", None, f"{type(problem).__name__}: {problem}"[:200], 0)


def cause_told_before(cause: str, record: Record, since: datetime) -> bool:
    """The record tells of it, but as of an earlier time than its row does."""
    return any(entry.cause == cause and entry.at < since for entry in record.entries)


def _holds(legs: Iterable[Leg]) -> Counter[str]:
    found: Counter[str] = Counter()
    for leg in legs:
        found[leg.account] += leg.amount
    return found


def _sum(parts: Iterable[Counter[str]]) -> Counter[str]:
    """Below 0 too, which `+` of Counters would drop."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return found


def _apart_by(expected: Value, found: Value) -> Won:
    return found - expected if isinstance(expected, int) and isinstance(found, int) else 0


def _same(one: Entry | None, other: Entry) -> bool:
    return one is not None and (
        (one.cause, one.what, one.book, one.at, _holds(one.legs), one.about)
        == (other.cause, other.what, other.book, other.at, _holds(other.legs), other.about)
    )


def _changed(row: Booked, should: Booked) -> list[Difference]:
    """A row of the books that does not prove itself, beside what the record makes of it."""
    item, expected, found = f"ledger {row.name}", should.holds, row.holds
    apart = _apart(item, expected, found)
    return apart or [Difference(item, "mark", should.mark, row.mark, _worth(should))]


def _worth(row: Booked) -> Won:
    return sum(amount for amount in row.holds.values() if amount > 0)


def _wrong(record: Record, rows: Mapping[str, Booked], told: Mapping[str, Entry]) -> list[Difference]:
    """A record beside the books, which prove themselves. Movements in one of them only are settled apart."""
    both = sorted(rows.keys() & told.keys())
    pairs = [(rows[cause].holds, _holds(told[cause].legs)) for cause in both]
    whole = _apart(record.item, _sum(told for told, _ in pairs), _sum(told for _, told in pairs))
    first = next((apart for pair in pairs if (apart := _apart(record.item, *pair))), [])
    return [*(whole or first), *_otherwise(record, rows, told)] or [
        Difference(
            record.item,
            "at",
            _times(row.at for row in rows.values()),
            _times(entry.at for entry in told.values()),
            record.worth,
        )
    ]


def _apart(item: str, expected: Counter[str], found: Counter[str]) -> list[Difference]:
    accounts = sorted(a for a in expected.keys() | found.keys() if expected[a] != found[a])
    return [Difference(item, a, expected[a], found[a], found[a] - expected[a]) for a in accounts]


def _otherwise(record: Record, rows: Mapping[str, Booked], told: Mapping[str, Entry]) -> list[Difference]:
    """Whose it is, or what for."""
    for cause in sorted(rows.keys() & told.keys()):
        entry = rows[cause].entry
        said, known = told[cause].about, entry.about if entry else {}
        names = sorted(name for name in known.keys() | said.keys() if known.get(name) != said.get(name))
        if names:
            return [
                Difference(record.item, each, known.get(each), said.get(each), record.worth) for each in names
            ]
    return []


def _times(moments: Iterable[datetime]) -> str:
    return " ".join(at.isoformat() for at in sorted(moments))


def _settled(dispute: _Dispute, gaps: dict[str, Won]) -> list[Difference]:
    """Who is wrong about a movement that only one of them knows; takes it out of the gaps if the books are.

    The counters decide. A movement that touches no counter is the record's fault: a row proves itself.
    """
    holds, sign = dispute.row.holds, -1 if dispute.booked else 1
    touched = [account for account in holds if account in gaps]
    before = sum(abs(gaps[account]) for account in touched)
    after = sum(abs(gaps[account] - sign * holds[account]) for account in touched)
    books = after < before
    if books:
        for account in touched:
            gaps[account] -= sign * holds[account]
    record = dispute.record
    item = f"ledger {dispute.row.name}" if books or record is None else record.item
    missing = dispute.booked != books  # in what is named
    return [
        Difference(item, account, *((amount, 0, -amount) if missing else (0, amount, amount)))
        for account, amount in sorted(holds.items())
        if amount
    ]


def _told_by_counters(row: Booked, gaps: dict[str, Won]) -> list[Difference]:
    """A campaign's own entry that does not prove itself: the counters say what it must have been."""
    expected = Counter({account: gap for account, gap in gaps.items() if gap})
    for account in expected:
        gaps[account] = 0
    item = f"ledger {row.name}"
    return _apart(item, expected, row.holds) or [Difference(item, "mark", None, row.mark, _worth(row))]


# --- what a customer holds ---------------------------------------------------------------------------------


def trusted(records: Iterable[Record], found: Iterable[Difference]) -> list[Record]:
    """Those that the books bear out."""
    wrong = {each.item for each in found}
    return [record for record in records if record.item not in wrong]


def wrong_holdings(
    campaign_id: str,
    records: Iterable[Record],
    held: Mapping[str, Held],
    uses: Mapping[str, int],
    found: Sequence[Difference],
) -> list[Difference]:
    """Coupons and counts of uses beside the records that the books bear out: from a wrong one nothing follows
    for anybody else. `uses`: of customers whose uses are counted, with all their records of the campaign."""
    records = tuple(records)
    borne_out = trusted(records, found)
    wrong = {each.item for each in found}
    doubted = {record.customer_id for record in records if record.item in wrong}
    doubted |= {str(each.expected) for each in found if each.account == "customer_id"}
    sure = {who: count for who, count in uses.items() if who not in doubted}
    coupons = {str(each.expected) for each in found if each.account == "coupon_id"}
    certain = [record for record in borne_out if record.coupon_id not in coupons]
    return [*wrong_coupons(certain, held), *wrong_uses(campaign_id, borne_out, sure)]


def wrong_coupons(records: Sequence[Record], held: Mapping[str, Held]) -> list[Difference]:
    """Every coupon is used by the one active checkout that names it. `held`: the coupons of these records,
    and all that the records say of them."""
    found = []
    for coupon_id in sorted({record.coupon_id for record in records if record.coupon_id}):
        mine = [record for record in records if record.coupon_id == coupon_id]
        holder = next((record.checkout_id for record in mine if record.active), None)
        worth = max(record.worth for record in mine)
        row = held.get(coupon_id)
        expected = "USED" if holder else "free"
        said = None if row is None else "USED" if row.used else "free"
        if said != expected:
            found.append(Difference(f"coupon {coupon_id}", "state", expected, said, worth))
        elif row is not None and row.used_by != holder:
            found.append(Difference(f"coupon {coupon_id}", "used_by", holder, row.used_by, worth))
    return found


def wrong_uses(campaign_id: str, records: Sequence[Record], uses: Mapping[str, int]) -> list[Difference]:
    """Per customer: as many uses as active checkouts. `uses`: of customers whose uses are counted."""
    active = Counter(record.customer_id for record in records if record.active)
    return [
        Difference(f"uses USES#{campaign_id}#{who}", "uses", active[who], count, count - active[who])
        for who, count in sorted(uses.items())
        if count != active[who]
    ]


def wrong_counts(counts: Counts, records: Iterable[Record]) -> list[Difference]:
    """`records`: all of the campaign's. Every row carries the same switch; the odd one out is wrong."""
    expected = Counter(account for record in records for account in record.counted)
    found = [
        Difference(each.item, account, expected[account], count, count - expected[account])
        for each in counts.uses
        for account, count in each.holds.items()
        if count != expected[account]
    ]
    usual = Counter(counts.states.values()).most_common(1)[0][0] if counts.states else ""
    odd = [(item, state) for item, state in counts.states.items() if state != usual]
    return found + [Difference(item, "state", usual, state, 0) for item, state in odd]


class Purse(Struct, frozen=True):
    """A customer's wallet. `held`: points by the checkout that holds them; `wrong`: what its own entries say
    against it."""

    customer_id: str
    held: dict[str, int]
    wrong: tuple[Difference, ...] = ()


def wrong_purse(purse: Purse, records: Iterable[Record], unknown: Iterable[str] = ()) -> list[Difference]:
    """Beside its own entries, and what the customer's checkouts among these hold of it. `unknown`: checkouts
    that hold some, and that there never were. Where a hold is wrong, the lots follow from it and say nothing.
    """
    pot = f"points/{purse.customer_id}/held"
    expected = dict.fromkeys(unknown, 0)
    for record in records:
        if record.customer_id == purse.customer_id:
            expected[record.checkout_id] = sum(
                leg.amount for entry in record.entries for leg in entry.legs if leg.account == pot
            )
    wrong = [
        Difference(f"wallet {purse.customer_id}", f"held/{name}", points, held, held - points)
        for name, points in expected.items()
        if (held := purse.held.get(name, 0)) != points
    ]
    own = [each for each in purse.wrong if not (wrong and each.account.startswith("lots/"))]
    return [*own, *wrong]


def lasting(one: Iterable[Difference], other: Iterable[Difference]) -> list[Difference]:
    """What two looks see alike. Money under way is seen at different places; an error stays."""
    again = {(each.item, each.account, each.amount) for each in other}
    return [each for each in one if (each.item, each.account, each.amount) in again]
