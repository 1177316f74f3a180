"""Does a test miss every condition of a write? `python -m tests.bench.conditions [word of a store's path]`.

Each `only_if=` of the money stores is a conjunction; one conjunct after another is taken out of the running
code, and the quick tests on DynamoDB of its context have to fail, and if they do not, the schedules. Of those
that stand behind one another each alone may go unnoticed (`REDUNDANT` says why), and all of them may not.

All is imported once; each condition dies in a process forked from that, in which only its function's code is
another one.
"""

import ast
import importlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CONTEXTS = ("coupons", "checkout", "points", "ledger")
TESTS = {
    "coupons": ("tests/coupons/test_conditions.py", "tests/coupons", "tests/checkout"),
    "checkout": ("tests/checkout",),
    "points": ("tests/points", "tests/checkout"),
    "ledger": ("tests/ledger",),
}
"""Of a context, one after the other: those first that are likely to miss it."""
SCHEDULES = "tests/money"
SEEDS, MOST_SEEDS = "seeds", 25
MET_BY_SEEDS = ("holds.py", "campaigns.py", "checkouts.py", "payments.py", "points/store.py")
"""Stores that are soonest tried by some schedules."""
NOT_THESE = "not memory and not http and not events and not gateway"
"""Twins in memory do not have the conditions, whole applications are slow, and the tests' own servers do not
live on in a fork."""
LONGEST_SECONDS = 300
KILLED, SURVIVED, STUCK = "killed", "SURVIVED", "killed (never ended)"


@dataclass(frozen=True)
class Redundant:
    """Conditions that stand behind one another: each alone may go unnoticed, all together may not. With one
    name, what stands behind it is no condition, or one of another context: `why` says which."""

    names: tuple[str, ...]
    why: str


HOLDS, CAMPAIGNS = "coupons/store/holds.", "coupons/store/campaigns."
PROMISE = "checkout/store/payments.PaymentStore.promise:"
REDUNDANT = (
    Redundant(
        (
            f"{CAMPAIGNS}CampaignStore.merge: CampaignItem.moves == campaign.moves",
            f"{CAMPAIGNS}CampaignStore.merge: _as_seen(campaign)",
            f"{CAMPAIGNS}_holds: ShardItem.state == Switch.OPEN.value",
        ),
        "a budget that was moved or switched since has shards that were: they are not as they were seen",
    ),
    Redundant(
        (
            f"{HOLDS}HoldStore._give_back: UsesItem.used >= 1",
            f"{HOLDS}HoldStore._give_back: held",
        ),
        "who uses a coupon is counted, and the coupon's own row says who uses it",
    ),
    Redundant(
        (
            f"{HOLDS}_by_checkout: CouponItem.state == State.USED.value",
            f"{HOLDS}_by_checkout: CouponItem.used_by == str(used.used_by)",
        ),
        "only a used coupon names its checkout",
    ),
    Redundant(
        (f"{PROMISE} PaymentItem.state == PaymentState.PAID", f"{PROMISE} PaymentItem.left >= refund.amount"),
        "of what was not paid nothing is left",
    ),
)
EXPLAINED = {name: each.why for each in REDUNDANT for name in each.names}


@dataclass(frozen=True)
class Spot:
    """A conjunct, and where it stands."""

    file: str
    function: str
    text: str
    line: int
    column: int

    @property
    def name(self) -> str:
        return f"{self.file.removeprefix('chalicelib/').removesuffix('.py')}.{self.function}: {self.text}"

    @property
    def context(self) -> str:
        return self.file.split("/")[1]


def stores() -> list[str]:
    found = []
    for context in CONTEXTS:
        folder = ROOT / "chalicelib" / context
        paths = [folder / "store.py", *sorted((folder / "store").glob("*.py"))]
        found += [path.relative_to(ROOT).as_posix() for path in paths if path.exists()]
    return found


# --- finding them ------------------------------------------------------------------------------------------


def conjuncts(condition: ast.expr) -> list[ast.expr]:
    if isinstance(condition, ast.BinOp) and isinstance(condition.op, ast.BitAnd):
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [condition]


class _Finder(ast.NodeVisitor):
    """Every conjunct of every conjunction, and every condition that stands alone."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.found: list[tuple[str, ast.expr]] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        self.path.append(node.name)
        self.generic_visit(node)
        self.path.pop()

    def visit_BinOp(self, node: ast.BinOp) -> None:
        parts = conjuncts(node)
        if len(parts) > 1 and any(isinstance(part, ast.Compare | ast.Call) for part in parts):
            self.found += [(".".join(self.path), part) for part in parts]
        for part in parts:
            self.generic_visit(part)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.BitAnd):
            self.found += [(".".join(self.path), part) for part in conjuncts(node.value)]
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg == "only_if" and len(conjuncts(node.value)) == 1:
            self.found.append((".".join(self.path), node.value))
        self.generic_visit(node)


def spots(file: str) -> list[Spot]:
    finder = _Finder()
    finder.visit(ast.parse((ROOT / file).read_text()))
    return [Spot(file, function, ast.unparse(it), it.lineno, it.col_offset) for function, it in finder.found]


# --- taking them away --------------------------------------------------------------------------------------


class _Without(ast.NodeTransformer):
    """A `check` without its condition is no write at all."""

    def __init__(self, gone: Sequence[Spot]) -> None:
        self.gone = {(spot.line, spot.column, spot.text) for spot in gone}

    def is_gone(self, node: ast.expr) -> bool:
        return (node.lineno, node.col_offset, ast.unparse(node)) in self.gone

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if not isinstance(node.op, ast.BitAnd):
            return self.generic_visit(node)
        left = [part for part in conjuncts(node) if not self.is_gone(part)]
        found = left[0] if left else ast.Constant(None)
        for part in left[1:]:
            found = ast.BinOp(found, ast.BitAnd(), part)
        return ast.copy_location(found, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if isinstance(node.op, ast.BitAnd) and self.is_gone(node.value):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg == "only_if" and self.is_gone(node.value):
            node.value = ast.Constant(None)
            return node
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = self.generic_visit(node).value  # type: ignore[attr-defined]
        checks = (
            isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "check"
        )
        if checks and any(
            each.arg == "only_if" and isinstance(each.value, ast.Constant) for each in call.keywords
        ):
            return ast.copy_location(ast.Pass(), node)
        return node


def without(file: str, gone: Sequence[Spot]) -> ast.Module:
    """The module's tree without these conjuncts."""
    tree = ast.parse((ROOT / file).read_text())
    changed: ast.Module = ast.fix_missing_locations(_Without(gone).visit(tree))
    return changed


def _codes(code: CodeType) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _codes(const)


@contextmanager
def running(file: str, tree: ast.Module) -> Iterator[None]:
    """Every function of the running module runs this tree's code."""
    module = importlib.import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    codes = {code.co_qualname: code for code in _codes(compile(tree, str(ROOT / file), "exec"))}
    usual = [(each, each.__code__) for each in _functions(module) if each.__qualname__ in codes]
    try:
        for function, _ in usual:
            function.__code__ = codes[function.__qualname__]
        yield
    finally:
        for function, code in usual:
            function.__code__ = code


def _functions(module: Any) -> Iterator[FunctionType]:
    homes = [module, *(each for each in vars(module).values() if isinstance(each, type))]
    for home in homes:
        for found in vars(home).values():
            inner = getattr(found, "__func__", found)
            if isinstance(inner, FunctionType) and inner.__module__ == module.__name__:
                yield inner


# --- and looking whether anybody misses them ---------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    gone: tuple[Spot, ...]
    word: str
    by: str
    seconds: float


def tried(gone: tuple[Spot, ...]) -> Outcome:
    """First by the quick tests, then by the schedules."""
    since = time.monotonic()
    contexts = {spot.context for spot in gone}
    quick = dict.fromkeys(path for each in CONTEXTS if each in contexts for path in TESTS[each])
    first = (SEEDS,) if all(spot.file.endswith(MET_BY_SEEDS) for spot in gone) else ()
    for path in (*first, *quick, SCHEDULES):
        word = _forked(gone, (path,))
        if word != SURVIVED:
            return Outcome(gone, word, path.removeprefix("tests/"), time.monotonic() - since)
    return Outcome(gone, SURVIVED, "", time.monotonic() - since)


def _forked(gone: tuple[Spot, ...], paths: tuple[str, ...]) -> str:
    child = os.fork()
    if child == 0:
        os._exit(_in_child(gone, paths))
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return STUCK


def _in_child(gone: tuple[Spot, ...], paths: tuple[str, ...]) -> int:
    with ExitStack() as all_of_them:
        for file in {spot.file for spot in gone}:
            here = [spot for spot in gone if spot.file == file]
            all_of_them.enter_context(running(file, without(file, here)))
        return played() if paths == (SEEDS,) else run(paths)


def played() -> int:
    """Some schedules, without a test around them."""
    from tests.money.plays import found

    return int(found(range(MOST_SEEDS), acts=14) is not None)


def run(paths: Sequence[str], *more: str) -> int:
    here = [path for path in paths if (ROOT / path).exists()]
    given = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", NOT_THESE, *more, *here]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main(given))


def groups(every: Sequence[Spot]) -> list[tuple[Spot, ...]]:
    """Those that stand behind one another, together."""
    by_name = {spot.name: spot for spot in every}
    known = [tuple(by_name[name] for name in each.names if name in by_name) for each in REDUNDANT]
    return [group for group in known if len(group) > 1]


def main() -> int:
    wanted = sys.argv[1:] or [""]
    os.chdir(ROOT)
    files = [file for file in stores() if any(word in file for word in wanted)]
    every = [spot for file in files for spot in spots(file)]
    print(f"{len(every)} conditions in {len(files)} files", flush=True)
    run(sorted({path for each in CONTEXTS for path in TESTS[each]}), "--collect-only")
    for context in sorted({spot.context for spot in every}):
        if _forked((), TESTS[context]) != SURVIVED:
            print(f"with every condition in place, the tests of {context} must pass")
            return 2
    work: list[tuple[Spot, ...]] = [*((spot,) for spot in every), *groups(every)]
    with ThreadPoolExecutor(2) as hands:
        outcomes = list(hands.map(_told, work))
    unexplained = [
        each
        for each in outcomes
        if each.word == SURVIVED and (len(each.gone) > 1 or each.gone[0].name not in EXPLAINED)
    ]
    print(
        f"{len(outcomes)} tried, {sum(each.word != SURVIVED for each in outcomes)} missed by a test,", end=" "
    )
    print(f"{len(outcomes) - len(unexplained)} as they should be; unexplained: {len(unexplained)}")
    for each in unexplained:
        print("  " + " and ".join(f"{spot.file}:{spot.line} {spot.name}" for spot in each.gone))
    what = f"money: conditions of {len(every)} that no test misses"
    told = {"what": what, "ours": len(unexplained), "yardstick": None, "unit": "conditions", "goal": 0}
    print(json.dumps(told))
    return 1 if unexplained else 0


def _told(gone: tuple[Spot, ...]) -> Outcome:
    outcome = tried(gone)
    alone = outcome.word == SURVIVED and len(gone) == 1
    explained = f" ({EXPLAINED[gone[0].name]})" if alone and gone[0].name in EXPLAINED else ""
    names = " AND ".join(spot.name for spot in gone)
    print(f"{outcome.word:>9} {outcome.by:<26} {outcome.seconds:5.1f} s  {names}{explained}", flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
