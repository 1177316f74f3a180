"""DynamoDB's expressions, read once and then asked of one row after another.

Condition, filter and key condition: comparisons, BETWEEN, IN, AND, OR, NOT, and the functions on attributes.
Update: SET with + and -, if_not_exists and list_append; REMOVE; ADD; DELETE.
"""

import functools
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Value = dict[str, Any]
Row = dict[str, Value]
Path = tuple[str | int, ...]
Given = tuple[dict[str, str], Row]
"""ExpressionAttributeNames and -Values."""
Test = Callable[[Row, Given], bool]
Operand = Callable[[Row, Given], Value | None]
Change = Callable[[Row, Row, Given], None]
"""Reads the old row, writes into the new one."""

TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+\-\[\].]|[#:]?\w+)")
WORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Invalid(Exception):
    """DynamoDB would answer with a ValidationException."""


def plain(value: Value) -> Any:
    """As it compares: numbers as numbers, the rest as it stands."""
    ((kind, held),) = value.items()
    if kind == "N":
        return int(held) if held.lstrip("-").isdigit() else Decimal(held)
    return held


def equal(left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        return False
    ((kind, held),), ((other, more),) = left.items(), right.items()
    if kind != other:
        return False
    if kind == "N":
        return bool(plain(left) == plain(right))
    return set(held) == set(more) if kind in ("SS", "NS", "BS") else bool(held == more)


def look_up(row: Row, path: Path) -> Value | None:
    here: Value | None = row.get(str(path[0]))
    for step in path[1:]:
        if here is None:
            return None
        if isinstance(step, int):
            there = here.get("L", [])
            here = there[step] if step < len(there) else None
        else:
            here = here.get("M", {}).get(step)
    return here


def place(row: Row, path: Path, value: Value | None) -> None:
    """Writes or, with None, removes; maps on the way are copied, so that the old row stays as it was."""
    if len(path) == 1:
        if value is None:
            row.pop(str(path[0]), None)
        else:
            row[str(path[0])] = value
        return
    outer = row.get(str(path[0]))
    if outer is None or "M" not in outer:
        raise Invalid("The document path provided in the update expression is invalid for update")
    inner = dict(outer["M"])
    place(inner, path[1:], value)
    row[str(path[0])] = {"M": inner}


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if not found:
                raise Invalid(text)
            self.tokens.append(found.group(1))
            at = found.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def word(self) -> str:
        return self.peek().upper() if self.peek().upper() in WORDS else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token.upper() != expected):
            raise Invalid(f"{expected or 'more'} was due at {token!r}")
        self.at += 1
        return token

    # --- conditions ----------------------------------------------------------------------------------------

    def either(self) -> Test:
        tests = [self.both()]
        while self.word() == "OR":
            self.take()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda row, given: any(test(row, given) for test in tests)

    def both(self) -> Test:
        tests = [self.negated()]
        while self.word() == "AND":
            self.take()
            tests.append(self.negated())
        return tests[0] if len(tests) == 1 else lambda row, given: all(test(row, given) for test in tests)

    def negated(self) -> Test:
        if self.word() == "NOT":
            self.take()
            test = self.negated()
            return lambda row, given: not test(row, given)
        if self.peek() == "(":
            self.take()
            test = self.either()
            self.take(")")
            return test
        name = self.peek()
        if name in FUNCTIONS and self.tokens[self.at + 1] == "(":
            self.take()
            return FUNCTIONS[name](*self.arguments())
        return self.comparison()

    def comparison(self) -> Test:
        left = self.operand()
        if self.word() == "BETWEEN":
            self.take()
            low = self.operand()
            self.take("AND")
            high = self.operand()
            return lambda row, given: (
                _ordered(">=", left(row, given), low(row, given))
                and _ordered("<=", left(row, given), high(row, given))
            )
        if self.word() == "IN":
            self.take()
            choices = self.arguments()
            return lambda row, given: any(equal(left(row, given), each(row, given)) for each in choices)
        sign = self.take()
        right = self.operand()
        if sign == "=":
            return lambda row, given: equal(left(row, given), right(row, given))
        if sign == "<>":
            return lambda row, given: not equal(left(row, given), right(row, given))
        if sign not in COMPARE:
            raise Invalid(sign)
        return lambda row, given: _ordered(sign, left(row, given), right(row, given))

    def arguments(self) -> list[Operand]:
        self.take("(")
        found = [self.operand()]
        while self.peek() == ",":
            self.take()
            found.append(self.operand())
        self.take(")")
        return found

    def operand(self) -> Operand:
        if self.peek() == "size" and self.tokens[self.at + 1] == "(":
            self.take()
            (of,) = self.arguments()
            return lambda row, given: _size(of(row, given))
        if self.peek().startswith(":"):
            name = self.take()
            return lambda row, given: given[1][name]
        path = self.path()
        return lambda row, given: look_up(row, path(given))

    def path(self) -> Callable[[Given], Path]:
        steps: list[str | int] = [self.take()]
        while self.peek() in (".", "["):
            if self.take() == ".":
                steps.append(self.take())
            else:
                steps.append(int(self.take()))
                self.take("]")
        if not any(str(step).startswith("#") for step in steps):
            return lambda given: tuple(steps)
        return lambda given: tuple(
            given[0].get(step, step) if isinstance(step, str) else step for step in steps
        )

    # --- updates -------------------------------------------------------------------------------------------

    def changes(self) -> Change:
        found: list[Change] = []
        clauses = {"SET": self.setting, "REMOVE": self.removing, "ADD": self.adding, "DELETE": self.deleting}
        while self.word() in clauses:
            clause = clauses[self.take().upper()]
            found.append(clause())
            while self.peek() == ",":
                self.take()
                found.append(clause())
        self.end()

        def all_of_them(old: Row, new: Row, given: Given) -> None:
            for change in found:
                change(old, new, given)

        return all_of_them

    def setting(self) -> Change:
        path = self.path()
        self.take("=")
        value = self.sum()

        def change(old: Row, new: Row, given: Given) -> None:
            found = value(old, given)
            if found is None:
                raise Invalid(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            place(new, path(given), found)

        return change

    def sum(self) -> Operand:
        left = self.term()
        if self.peek() not in ("+", "-"):
            return left
        sign = 1 if self.take() == "+" else -1
        right = self.term()

        def added(row: Row, given: Given) -> Value | None:
            one, other = left(row, given), right(row, given)
            if one is None or other is None or "N" not in one or "N" not in other:
                raise Invalid("An operand in the update expression has an incorrect data type")
            return {"N": str(plain(one) + sign * plain(other))}

        return added

    def term(self) -> Operand:
        if self.peek() in ("if_not_exists", "list_append") and self.tokens[self.at + 1] == "(":
            name = self.take()
            first, second = self.arguments_of_terms()
            if name == "if_not_exists":
                return lambda row, given: first(row, given) or second(row, given)
            return lambda row, given: {"L": [*_list(first(row, given)), *_list(second(row, given))]}
        return self.operand()

    def arguments_of_terms(self) -> tuple[Operand, Operand]:
        self.take("(")
        first = self.term()
        self.take(",")
        second = self.term()
        self.take(")")
        return first, second

    def removing(self) -> Change:
        path = self.path()
        return lambda old, new, given: place(new, path(given), None)

    def adding(self) -> Change:
        path, value = self.path(), self.operand()

        def change(old: Row, new: Row, given: Given) -> None:
            here, more = look_up(old, path(given)), value(old, given)
            assert more is not None
            ((kind, held),) = more.items()
            if here is not None and kind not in here:
                raise Invalid("An operand in the update expression has an incorrect data type")
            if kind == "N":
                place(new, path(given), {"N": str((plain(here) if here else 0) + plain(more))})
            else:
                place(new, path(given), {kind: sorted({*(here or {}).get(kind, ()), *held})})

        return change

    def deleting(self) -> Change:
        path, value = self.path(), self.operand()

        def change(old: Row, new: Row, given: Given) -> None:
            here, less = look_up(old, path(given)), value(old, given)
            if here is not None and less is not None:
                ((kind, held),) = less.items()
                left = sorted(set(here.get(kind, ())) - set(held))
                place(new, path(given), {kind: left} if left else None)

        return change

    def end(self) -> None:
        if self.peek():
            raise Invalid(f"unexpected {self.peek()!r}")


def _ordered(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    return COMPARE[sign](plain(left), plain(right))


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((_, held),) = value.items()
    return {"N": str(len(held))}


def _list(value: Value | None) -> list[Value]:
    found: list[Value] = (value or {}).get("L", [])
    return found


def _begins(of: Operand, start: Operand) -> Test:
    def test(row: Row, given: Given) -> bool:
        here, begin = of(row, given), start(row, given)
        return here is not None and begin is not None and str(here.get("S", "")).startswith(begin["S"])

    return test


def _contains(of: Operand, part: Operand) -> Test:
    def test(row: Row, given: Given) -> bool:
        here, wanted = of(row, given), part(row, given)
        if here is None or wanted is None:
            return False
        ((kind, held),) = here.items()
        if kind == "L":
            return wanted in held
        return next(iter(wanted.values())) in held

    return test


FUNCTIONS: dict[str, Callable[..., Test]] = {
    "attribute_exists": lambda of: lambda row, given: of(row, given) is not None,
    "attribute_not_exists": lambda of: lambda row, given: of(row, given) is None,
    "begins_with": _begins,
    "contains": _contains,
}


@functools.cache
def condition(text: str) -> Test:
    reader = _Reader(text)
    found = reader.either()
    reader.end()
    return found


@functools.cache
def update(text: str) -> Change:
    return _Reader(text).changes()
