"""What a unit promises, one check each. They run in this order, on one unit, and leave it locked."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import token_hex

from infra.device_check.bench import MANNERS, Bench, CannotTell, Silent, Unfit, Wrong, expect
from infra.protocol import LONGEST_LIFE_MS, REMEMBERED, SKEW_MS, Message

Step = Callable[[Bench], Awaitable[None]]
CHECKS: list[tuple[str, Step]] = []
DONE = ("succeeded", "already_done")
COUNTERS = 90
"""No run uses more."""
AHEAD = 5
"""By so much a forged counter is higher than the next."""
REPORTS = 5
"""So many may tell of how the car was before."""


def check(promise: str) -> Callable[[Step], Step]:
    def register(step: Step) -> Step:
        CHECKS.append((promise, step))
        return step

    return register


@dataclass(frozen=True)
class Finding:
    """`wrong`: what spoke against the promise. `skipped`: why it was not looked at."""

    promise: str
    wrong: str | None = None
    skipped: str | None = None


async def run(bench: Bench, tell: Callable[[Finding], None]) -> list[Finding]:
    """Every finding, told as it is made. Unfit when the unit cannot be tested as it stands."""
    found: list[Finding] = []

    def note(finding: Finding) -> None:
        found.append(finding)
        tell(finding)

    for promise, step in CHECKS:
        finding, silent = await _tried(bench, promise, step)
        note(finding)
        if silent and len(found) == 1:
            note(Finding("everything else", skipped="a unit that does not answer cannot be tested"))
            return found
    await bench.settled()
    for manner in MANNERS:
        note(Finding(manner, "; ".join(bench.wrong.get(manner, [])[:3]) or None))
    return found


async def _tried(bench: Bench, promise: str, step: Step) -> tuple[Finding, bool]:
    try:
        await step(bench)
    except CannotTell as why:
        return Finding(promise, skipped=str(why)), False
    except Wrong as wrong:
        return Finding(promise, str(wrong)), isinstance(wrong, Silent)
    return Finding(promise), False


# ---- what it does --------------------------------------------------------------------------------------


@check("answers a true command, with its nonce")
async def answers(bench: Bench) -> None:
    answer = await bench.ask(bench.command("lock"))
    if answer.get("reason") in ("IN_MOTION", "DOOR_OPEN", "KEY_INSIDE"):
        raise Unfit(
            f"the unit says {answer['reason']}: it must stand still, its doors closed and no key inside"
        )
    expect(answer, *DONE)


@check("carries out a true command")
async def obeys(bench: Bench) -> None:
    await bench.do("unlock")
    await bench.do("lock")


@check("reports its state after every change")
async def reports(bench: Bench) -> None:
    for action, locked in (("unlock", False), ("lock", True)):
        known = len(bench.states)
        await bench.do(action)
        for _ in range(REPORTS):
            if any(state.get("locked") is locked for state in bench.states[known:]):
                break
            await bench.state()
        else:
            raise Wrong(f"still reports locked={not locked} after {action}")


@check("says already_done where nothing was to be done")
async def already_done(bench: Bench) -> None:
    await bench.do("lock", *DONE)
    await bench.do("lock", "already_done")


@check("knows every action, or says NOT_SUPPORTED")
async def knows_actions(bench: Bench) -> None:
    for action in ("hazard_on", "hazard_off", "horn"):
        answer = await bench.ask(bench.command(action))
        if answer.get("reason") != "NOT_SUPPORTED":
            expect(answer, *DONE)


@check("ignores fields it does not know")
async def ignores_unknown_fields(bench: Bench) -> None:
    expect(await bench.ask({**bench.command(), "later": {"version": [2]}}), *DONE)


# ---- once ----------------------------------------------------------------------------------------------


@check("answers a repeated command with the same answer, and does nothing")
async def repeats(bench: Bench) -> None:
    first = bench.command("unlock")
    answer = expect(await bench.ask(first), "succeeded")
    await bench.do("lock")
    again = await bench.ask(first)
    if again != answer:
        raise Wrong(f"answered {_differing(answer, again)} differently the second time")
    await bench.do("lock", "already_done")


@check("does a command once that comes twice at the same moment")
async def twice_at_once(bench: Bench) -> None:
    command = bench.command("unlock")
    await bench.send(command)
    await bench.send(command)
    first, second = await bench.answer(command), await bench.answer(command)
    await bench.do("lock")
    if first != second:
        raise Wrong(f"answered {_differing(first, second)} differently the second time")


@check("refuses an overtaken command: OUT_OF_ORDER")
async def out_of_order(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", counter=bench.counter - 1), "OUT_OF_ORDER")
    await bench.refuses(bench.command("unlock", counter=bench.counter), "OUT_OF_ORDER")


@check("refuses an old counter: OLD_COUNTER")
async def old_counter(bench: Bench) -> None:
    if bench.counter <= REMEMBERED:
        bench.counter += REMEMBERED
        await bench.do("lock", *DONE)
    await bench.refuses(bench.command("unlock", counter=bench.counter - REMEMBERED), "OLD_COUNTER")


# ---- from whom -----------------------------------------------------------------------------------------


@check("refuses a command that was changed on its way: BAD_SIGNATURE")
async def changed(bench: Bench) -> None:
    believed = []
    for name in (
        "action",
        "counter",
        "issued_at",
        "expires_at",
        "command_id",
        "grant_id",
        "nonce",
        "v",
        "sig",
    ):
        forged = _changed(bench.command("unlock"), name)
        try:
            await bench.refuses(forged, "BAD_SIGNATURE")
        except Wrong as wrong:
            believed.append(f"{name}: {wrong}")
    if believed:
        raise Wrong("changed " + "; ".join(believed))


@check("refuses another car's command: BAD_SIGNATURE")
async def other_car(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", car_id=f"{bench.car_id}-2"), "BAD_SIGNATURE")


@check("refuses a command under another key: BAD_SIGNATURE")
async def other_key(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", key=token_hex(32)), "BAD_SIGNATURE")


@check("believes nothing in a command before its signature")
async def signature_first(bench: Bench) -> None:
    old = bench.now() - 3_600_000
    stale = bench.command("start_engine", key=token_hex(32), issued_at=old, counter=1)
    await bench.refuses(stale, "BAD_SIGNATURE")


@check("lets no forgery move its counter")
async def forgery_moves_nothing(bench: Bench) -> None:
    forged = bench.command("unlock", key=token_hex(32), counter=bench.counter + AHEAD)
    try:
        await bench.refuses(forged, "BAD_SIGNATURE")
        await bench.do("lock", *DONE)
    finally:
        bench.counter += AHEAD  # whatever it believes, what follows is new to it


# ---- when ----------------------------------------------------------------------------------------------


@check("refuses a command whose time is over: EXPIRED")
async def expired(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", issued_at=bench.now() - 20_000), "EXPIRED")


@check("refuses a command that claims more than thirty seconds: LIFE_TOO_LONG")
async def too_long(bench: Bench) -> None:
    at = bench.now()
    too_long = bench.command("unlock", issued_at=at, expires_at=at + LONGEST_LIFE_MS + 1)
    await bench.refuses(too_long, "LIFE_TOO_LONG")
    longest = bench.command("lock", issued_at=at, expires_at=at + LONGEST_LIFE_MS)
    expect(await bench.ask(longest), *DONE)


@check("refuses a command from the future: NOT_YET_VALID")
async def future(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", issued_at=bench.now() + 60_000), "NOT_YET_VALID")


@check("bears a clock that is a little ahead")
async def bears_skew(bench: Bench) -> None:
    expect(await bench.ask(bench.command("lock", issued_at=bench.now() + SKEW_MS // 2)), *DONE)


# ---- what ----------------------------------------------------------------------------------------------


@check("refuses an action it does not know: NOT_SUPPORTED")
async def unknown_action(bench: Bench) -> None:
    await bench.refuses(bench.command("start_engine"), "NOT_SUPPORTED")


@check("refuses a version it does not know: NOT_SUPPORTED")
async def unknown_version(bench: Bench) -> None:
    await bench.refuses(bench.command("unlock", v=2), "NOT_SUPPORTED")


@check("does not answer what is no command, and lives on")
async def noise(bench: Bench) -> None:
    true = bench.command("lock")
    without = {**true, "command_id": f"noise-{token_hex(4)}"}
    del without["sig"]
    texts: list[object] = [
        {**without, "sig": 7},
        {**without, "sig": "00", "counter": "7"},
        without,
        [],
        None,
        7,
    ]
    answered = bench.strange
    for payload in (b"", b"\xff\xfe", b"{", *(json.dumps(text).encode() for text in texts)):
        await bench.wire.send(payload)
    try:
        expect(await bench.ask(true), *DONE)
    except Silent:
        raise Wrong("is silent since it heard what is no command") from None
    await bench.settled()
    if bench.strange > answered:
        raise Wrong("answered what is no command")


# ---- for how long --------------------------------------------------------------------------------------


@check("comes back when its connection ends, reports its state, and remembers")
async def comes_back(bench: Bench) -> None:
    before = bench.command("unlock")
    answer = expect(await bench.ask(before), "succeeded")
    await bench.do("lock")
    await bench.settled()
    await bench.interrupt()
    await _back(bench)
    if await bench.ask(before) != answer:
        raise Wrong("has forgotten what it answered before its connection ended")
    await bench.do("lock", "already_done")


async def _back(bench: Bench) -> None:
    for _ in range(6):
        try:
            await bench.state()
        except Silent:
            continue
        return
    raise Wrong("did not report its state again within thirty seconds")


def _changed(command: Message, name: str) -> Message:
    """One bit of one field, after it was signed."""
    value = command[name]
    if name == "action":
        return {**command, name: "lock"}
    return {
        **command,
        name: value + 1 if isinstance(value, int) else ("1" if value[0] == "0" else "0") + value[1:],
    }


def _differing(first: Message, second: Message) -> str:
    return ", ".join(sorted(name for name in first | second if first.get(name) != second.get(name)))
