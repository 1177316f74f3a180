"""What must be true of a world, whatever happened in it. Each truth names every case against it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from chalicelib.doors.model import (
    FLEET,
    JOURNEY,
    TTL,
    Action,
    Command,
    Reason,
    State,
    Verdict,
    denied_log,
    outranks,
)
from chalicelib.kernel.audit import GENESIS, Head, Line, broken_at
from infra.local.car import SKEW_MS
from tests.bench.road.air import EPOCH_MS, LAST_MILE_MS, Execution
from tests.bench.road.world import World

TTL_MS = round(TTL.total_seconds() * 1000)
Found = Iterator[str]
DENIED = {"BUSY", "GRANT_REVOKED", "RATE_LIMITED", "STEP_UP_REQUIRED", "STOPPED"}


def executed_twice(world: World) -> Found:
    times = Counter(each.command_id for each in executions(world))
    yield from (command_id for command_id, number in times.items() if number > 1)


def executed_what_nobody_sent(world: World) -> Found:
    sent = {(it.command_id, it.car_id, it.action, it.counter) for it in world.seen.publishes}
    for each in executions(world):
        if (each.command_id, each.car_id, each.action, each.counter) not in sent:
            yield each.command_id


def executed_out_of_order(world: World) -> Found:
    for car in world.cars.values():
        counters = [each.counter for each in car.executions]
        yield from (f"{car.car_id} {one}" for one, two in pairwise(counters) if one >= two)


def executed_late_by_its_own_clock(world: World) -> Found:
    yield from (each.command_id for each in executions(world) if each.own >= each.expires_at)


def executed_late(world: World) -> Found:
    """By true time, from a car whose clock is as right as the protocol asks."""
    for each in executions(world):
        skew = abs(world.cars[each.car_id].nature.skew)
        if skew <= SKEW_MS and each.at >= each.expires_at + SKEW_MS:
            yield each.command_id


def executed_late_by_a_wrong_clock(world: World) -> Found:
    """A clock beyond the tolerance: the broker's own expiry still bounds it, unless somebody sends a copy."""
    left = {it.command_id: it.at for it in world.seen.publishes}
    for each in executions(world):
        if (
            each.command_id in left
            and not each.replayed
            and each.at - EPOCH_MS > left[each.command_id] + TTL_MS + LAST_MILE_MS
        ):
            yield each.command_id


def executed_after_revoke(world: World) -> Found:
    """No look at the grant that began after its revocation was answered led to a publish; what had left
    before is over within its life."""
    for it in world.seen.publishes:
        ended = world.seen.revoked.get(it.grant_id)
        if ended is not None and it.looked >= ended:
            yield it.command_id
    grants = {it.command_id: it.grant_id for it in world.seen.publishes}
    for each in executions(world):
        ended = world.seen.revoked.get(grants.get(each.command_id, ""))
        within = abs(world.cars[each.car_id].nature.skew) <= SKEW_MS
        if ended is not None and within and each.at - EPOCH_MS > ended + TTL_MS + SKEW_MS:
            yield each.command_id


def looked_too_early(world: World) -> Found:
    """The last thing before a publish is to look at the stop of all, and at the grant."""
    yield from (it.command_id for it in world.seen.publishes if not it.asked_last)


def published_twice(world: World) -> Found:
    times = Counter(it.command_id for it in world.seen.publishes)
    yield from (command_id for command_id, number in times.items() if number > 1)


def two_at_once(world: World) -> Found:
    """A car had two commands in flight, and the second was no LOCK that goes ahead."""
    opened: dict[str, list[tuple[int, Command]]] = defaultdict(list)
    for history in world.seen.histories.values():
        if history[0][1].counter:
            opened[history[0][1].car_id].append(history[0])
    for started in opened.values():
        started.sort(key=lambda one: one[1].counter)
        for (_, first), (at, second) in pairwise(started):
            if state_at(world, first, at) in JOURNEY.ends or second.requested_at >= first.expires_at:
                continue
            if not outranks(second.action, first.action):
                yield second.command_id


def left_open(world: World) -> Found:
    """Not in its final state when the first sweep had passed that came after its deadline and grace."""
    for command_id, history in world.seen.histories.items():
        last, command = history[-1]
        ends = [end for at, end in world.seen.sweeps if at >= command.final_at]
        if not command.settled or (ends and last > min(ends)):
            yield command_id


def left_a_final_state(world: World) -> Found:
    for command_id, history in world.seen.histories.items():
        if any(command.settled for _, command in history[:-1]):
            yield command_id


def told_wrong(world: World) -> Found:
    """A person heard that nothing can have happened, or that it ended otherwise, and it was not so."""
    done = {each.command_id for each in executions(world)}
    for told in world.seen.told.values():
        for _, said in told.answers:
            truth = world.store.commands[said.command_id]
            if not said.may_have_executed and said.command_id in done:
                yield f"{said.command_id} was {said.state}"
            if said.settled and said.state != truth.state:
                yield f"{said.command_id} was {said.state}, is {truth.state}"


def recorded_wrong(world: World) -> Found:
    """It ended where nothing can have happened, and the car did it."""
    for each in executions(world):
        command = world.store.commands.get(each.command_id)
        if command is not None and command.settled and not command.may_have_executed:
            yield f"{command.command_id} {command.state} {command.reason}"


def claimed_success(world: World) -> Found:
    """SUCCEEDED, and the car neither did it nor was as wished."""
    done = {each.command_id for each in executions(world)}
    for command in world.store.commands.values():
        if command.state is not State.SUCCEEDED or command.command_id in done:
            continue
        if command.reason is not Reason.SEEN_IN_STATE or not was_so(world, command):
            yield command.command_id


def was_so(world: World, command: Command) -> bool:
    """Whether the car was ever as the command wanted it, from a tolerance before it was given."""
    locked = command.action is Action.LOCK
    given = round(command.requested_at.timestamp() * 1000) - EPOCH_MS - SKEW_MS
    moves = world.cars[command.car_id].moves
    before = [state for at, state in moves if at <= given]
    return locked in before[-1:] or any(state is locked for at, state in moves if at > given)


def key_meant_two_things(world: World) -> Found:
    for (grant_id, key), told in world.seen.told.items():
        if len({said.command_id for _, said in told.answers}) > 1:
            yield f"{grant_id} {key}"


def refused_and_done(world: World) -> Found:
    """A person heard refusals only, the last without "it may have happened", and the car did it."""
    done = {each.command_id for each in executions(world)}
    for told in world.seen.told.values():
        if not told.refusals or told.answers or told.command_id not in done:
            continue
        if not told.refusals[-1][0].extra.get("may_have_executed"):
            yield f"{told.command_id} {told.refusals[-1][0].code}"


def executed_after_stop(world: World) -> Found:
    """Nothing but LOCK is given to a car that is stopped, and no look at the stop of all that began after it
    was answered led to a publish; what had left before is over within its life."""
    for stop in world.seen.stops:
        concerned = (stop.car_id,) if stop.car_id else tuple(world.cars)
        for it in world.seen.publishes:
            given = world.seen.histories[it.command_id][0][0] if stop.car_id else it.looked
            if it.car_id in concerned and it.action != "lock" and stop.since <= given < stop.until:
                yield f"{it.command_id} {stop}"
        for each in executions(world):
            skew = abs(world.cars[each.car_id].nature.skew)
            over = stop.since + TTL_MS + SKEW_MS < each.at - EPOCH_MS < stop.until
            if over and each.car_id in concerned and each.action != "lock" and skew <= SKEW_MS:
                yield f"{each.command_id} {stop}"


def published_unrecorded(world: World) -> Found:
    """The line in the car's log comes first."""
    yield from (it.command_id for it in world.seen.publishes if not it.recorded)


def log_broken(world: World) -> Found:
    """Each log follows on from where it began, and ends where the row it belongs to says."""
    logs = world.store.logs
    for car_id in world.cars:
        if (
            broken_at(logs[car_id], Head()) is not None
            or end(logs[car_id]) != world.store.car(car_id).control.head
        ):
            yield car_id
        if broken_at(logs[denied_log(car_id)], Head()) is not None:
            yield denied_log(car_id)
    if broken_at(logs[FLEET], Head()) is not None:
        yield FLEET
    for command in world.store.commands.values():
        lines = logs[command.command_id]
        given = given_line(world, command)
        start = Head(0, given.mark if given else GENESIS)
        if broken_at(lines, start) is not None or (lines and lines[-1].head != command.head):
            yield command.command_id


def log_incomplete(world: World) -> Found:
    """One line for each command given to a car, and one for each of its moves."""
    for command_id, history in world.seen.histories.items():
        command = history[-1][1]
        if not command.counter:
            continue
        line = given_line(world, command)
        written = line is not None and line.about["command_id"] == command_id
        if not written or len(world.store.logs[command_id]) != len(history) - 1:
            yield command_id
    given = Counter(command.car_id for command in world.store.commands.values() if command.counter)
    yield from (car_id for car_id in world.cars if len(world.store.logs[car_id]) != given[car_id])


def log_of_refusals_incomplete(world: World) -> Found:
    """One line for each press that was not given or joined another, and one, or a count, for each refusal."""
    lines = [line for car_id in world.cars for line in world.store.logs[denied_log(car_id)]]
    written = Counter((line.what, line.about.get("command_id")) for line in lines)
    for command in world.store.commands.values():
        if not command.counter and written["not_sent", command.command_id] != 1:
            yield command.command_id
    yield from (command_id for command_id in world.store.joins if written["joined", command_id] != 1)
    told = world.seen.told.values()
    heard = sum(clean for one in told for refusal, clean in one.refusals if refusal.code in DENIED)
    counted = sum(1 for refusal in world.store.refusals if refusal.verdict is Verdict.DENIED)
    if sum(line.what == "denied" for line in lines) + counted < heard:
        yield f"{heard} people heard a refusal"


def log_untrue(world: World) -> Found:
    """What a command's log says of its publish is what the broker saw."""
    left = {it.command_id for it in world.seen.publishes}
    for command_id in world.seen.histories:
        said = {line.what for line in world.store.logs[command_id]}
        if "published" in said and command_id not in left:
            yield command_id
        if said & {"withheld", "publish_refused", "offline"} and command_id in left:
            yield command_id


def facts_wrong(world: World) -> Found:
    """A command given to the car has one CommandRequested, an ended one exactly one final CommandSettled;
    counters have no gap."""
    requested = Counter(it.subject for it in world.store.facts if it.type == "CommandRequested")
    settled = Counter(it.subject for it in world.store.facts if it.data.get("state") in JOURNEY.ends)
    counters = defaultdict(list)
    for command in world.store.commands.values():
        if requested[command.command_id] != bool(command.counter) or settled[command.command_id] != 1:
            yield command.command_id
        if command.counter:
            counters[command.car_id].append(command.counter)
    for car_id, used in counters.items():
        if sorted(used) != list(range(1, len(used) + 1)):
            yield f"{car_id}: {sorted(used)}"


def broke(world: World) -> Found:
    yield from world.lambdas.unexpected


def given_line(world: World, command: Command) -> Line | None:
    """Of the car's log, the line with the command's counter."""
    lines = world.store.logs[command.car_id]
    return lines[command.counter - 1] if 0 < command.counter <= len(lines) else None


def end(lines: list[Line]) -> Head:
    return lines[-1].head if lines else Head()


def executions(world: World) -> Iterator[Execution]:
    for car in world.cars.values():
        yield from car.executions


def state_at(world: World, command: Command, at: int) -> State:
    history = world.seen.histories[command.command_id]
    return [each.state for then, each in history if then <= at][-1]


TRUTHS = (
    executed_twice,
    executed_what_nobody_sent,
    executed_out_of_order,
    executed_late_by_its_own_clock,
    executed_late,
    executed_late_by_a_wrong_clock,
    executed_after_revoke,
    looked_too_early,
    published_twice,
    two_at_once,
    left_open,
    left_a_final_state,
    told_wrong,
    recorded_wrong,
    claimed_success,
    key_meant_two_things,
    refused_and_done,
    executed_after_stop,
    published_unrecorded,
    log_broken,
    log_incomplete,
    log_of_refusals_incomplete,
    log_untrue,
    facts_wrong,
    broke,
)
