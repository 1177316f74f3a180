"""Why a command is where it is, and what that means for the person who pressed: in both languages.

Every refusal carries the same members beside its code: `retryable`, `may_have_executed`, `retry_after` in
seconds, and `messages` in both languages, since an error does not know the caller's.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from chalicelib.doors.model.journey import Event
from chalicelib.kernel.errors import Busy, Conflict, Forbidden, NotFound, Refused, TooMany


class Reason(StrEnum):
    """Why a command is where it is: the codes that people, pages and cars share."""

    VEHICLE_OFFLINE = "VEHICLE_OFFLINE"
    VEHICLE_ASLEEP = "VEHICLE_ASLEEP"
    IN_MOTION = "IN_MOTION"
    DOOR_OPEN = "DOOR_OPEN"
    KEY_INSIDE = "KEY_INSIDE"
    ALREADY_DONE = "ALREADY_DONE"
    BUSY = "BUSY"
    EXPIRED = "EXPIRED"
    LIFE_TOO_LONG = "LIFE_TOO_LONG"
    NOT_YET_VALID = "NOT_YET_VALID"
    REPLAYED = "REPLAYED"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    OLD_COUNTER = "OLD_COUNTER"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    GRANT_REVOKED = "GRANT_REVOKED"
    GRANT_USED_UP = "GRANT_USED_UP"
    TOO_FAR = "TOO_FAR"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    RATE_LIMITED = "RATE_LIMITED"
    DEVICE_TIMEOUT = "DEVICE_TIMEOUT"
    DEVICE_FAULT = "DEVICE_FAULT"
    CHANNEL_DOWN = "CHANNEL_DOWN"
    SEEN_IN_STATE = "SEEN_IN_STATE"
    ACTION_NOT_GRANTED = "ACTION_NOT_GRANTED"
    REASON_NEEDED = "REASON_NEEDED"
    STOPPED = "STOPPED"


BY_CODE = {each.value: each for each in Reason}


def reason_of(code: str | None) -> Reason | None:
    """None for a code that is none of ours."""
    return BY_CODE.get(code) if code is not None else None


class Advice(Struct, frozen=True):
    """What a reason means for a person: when another press is sensible, and what to do now.

    `retry_after` in seconds; NEVER where the first may have happened, or a second would end the same way.
    """

    retry_after: int | None
    may_have_executed: bool
    ko: str
    en: str

    @property
    def retryable(self) -> bool:
        return self.retry_after is not None


YES, NO, NEVER = True, False, None
# fmt: off
ADVICE: dict[Reason, Advice] = {
    # reason: press again after, may have happened, what the person reads
    Reason.VEHICLE_OFFLINE: Advice(60, NO,
        "차와 연결되어 있지 않아 아무것도 보내지 않았어요. 1분 뒤에 다시 눌러 주세요.",
        "The car is not connected and nothing was sent. Press again in a minute."),
    Reason.VEHICLE_ASLEEP: Advice(30, NO,
        "차가 절전 상태예요. 30초 뒤에 다시 눌러 주세요.",
        "The car is asleep. Press again in 30 seconds."),
    Reason.IN_MOTION: Advice(10, NO,
        "차가 움직이고 있어요. 차가 멈춘 뒤에 다시 눌러 주세요.",
        "The car is moving. Press again once it stands still."),
    Reason.DOOR_OPEN: Advice(0, NO,
        "문이 열려 있어요. 모든 문을 닫고 다시 눌러 주세요.",
        "A door is open. Close every door and press again."),
    Reason.KEY_INSIDE: Advice(0, NO,
        "차 안에 키가 있어요. 키를 꺼내고 다시 눌러 주세요.",
        "The key is inside the car. Take it out and press again."),
    Reason.ALREADY_DONE: Advice(NEVER, YES,
        "이미 그 상태예요. 더 누르지 않아도 돼요.",
        "The car was already so. There is nothing more to press."),
    Reason.BUSY: Advice(15, NO,
        "차가 앞의 명령을 처리하고 있어요. 끝난 뒤에 다시 눌러 주세요.",
        "The car is working on another command. Press again when that one is finished."),
    Reason.EXPIRED: Advice(0, NO,
        "명령이 너무 늦게 도착해 차가 실행하지 않았어요. 다시 눌러 주세요.",
        "The command reached the car too late, so it did nothing. Press again."),
    Reason.LIFE_TOO_LONG: Advice(NEVER, NO,
        "안전을 위해 차가 명령을 거절했어요. 고객센터에 알려 주세요.",
        "The car refused the command for safety. Please tell customer service."),
    Reason.NOT_YET_VALID: Advice(60, NO,
        "아직 쓸 수 있는 시각이 아니에요. 1분 뒤에 다시 눌러 주세요.",
        "It is not yet time for this. Press again in a minute."),
    Reason.REPLAYED: Advice(NEVER, YES,
        "차가 이미 받은 명령이에요. 차를 직접 확인해 주세요.",
        "The car had this command before. Look at the car before you press again."),
    Reason.OUT_OF_ORDER: Advice(0, NO,
        "나중에 누른 명령이 먼저 도착해 이 명령은 실행하지 않았어요. 필요하면 다시 눌러 주세요.",
        "A newer command reached the car first, so this one was dropped. Press again if you still need it."),
    Reason.OLD_COUNTER: Advice(NEVER, NO,
        "안전을 위해 차가 오래된 명령을 거절했어요. 고객센터에 알려 주세요.",
        "The car refused an outdated command for safety. Please tell customer service."),
    Reason.BAD_SIGNATURE: Advice(NEVER, NO,
        "차가 명령을 확인하지 못해 거절했어요. 고객센터에 알려 주세요.",
        "The car could not verify the command and refused it. Please tell customer service."),
    Reason.NOT_SUPPORTED: Advice(NEVER, NO,
        "이 차에서는 쓸 수 없는 기능이에요. 다른 기능을 이용해 주세요.",
        "This car cannot do that. Please use another function."),
    Reason.GRANT_EXPIRED: Advice(NEVER, NO,
        "스마트키의 기간이 끝났어요. 새 링크를 받아 주세요.",
        "This smart key has expired. Ask for a new link."),
    Reason.GRANT_REVOKED: Advice(NEVER, NO,
        "스마트키가 해지됐어요. 도움이 필요하면 고객센터에 알려 주세요.",
        "This smart key was revoked. Please tell customer service if you need help."),
    Reason.GRANT_USED_UP: Advice(NEVER, NO,
        "이 스마트키는 정해진 횟수를 다 썼어요. 새 스마트키를 받아 주세요.",
        "This smart key was used as often as it could be. Ask for a new one."),
    Reason.TOO_FAR: Advice(0, NO,
        "차에서 너무 멀리 있어요. 차 옆에서 다시 눌러 주세요.",
        "You are too far from the car. Press again next to it."),
    Reason.STEP_UP_REQUIRED: Advice(0, NO,
        "본인 확인이 한 번 더 필요해요. 확인한 뒤 다시 눌러 주세요.",
        "We need to check once more that it is you. Confirm, then press again."),
    Reason.RATE_LIMITED: Advice(60, NO,
        "너무 자주 눌렀어요. 잠시 기다렸다가 다시 눌러 주세요.",
        "That was too often. Wait a moment and press again."),
    Reason.DEVICE_TIMEOUT: Advice(NEVER, YES,
        "차가 답하지 않았어요. 실행됐을 수도 있으니 차를 먼저 확인해 주세요.",
        "The car has not answered. It may have happened: look at the car before you press again."),
    Reason.DEVICE_FAULT: Advice(NEVER, YES,
        "차가 명령을 끝내지 못했어요. 다시 누르기 전에 차를 확인해 주세요.",
        "The car could not finish the command. Look at the car before you press again."),
    Reason.CHANNEL_DOWN: Advice(10, NO,
        "차로 보내는 길이 잠시 막혀 아무것도 보내지 않았어요. 잠시 뒤에 다시 눌러 주세요.",
        "The way to the cars is closed for the moment and nothing was sent. Press again shortly."),
    Reason.SEEN_IN_STATE: Advice(NEVER, YES,
        "차가 알려 온 상태로 확인했어요. 더 누르지 않아도 돼요.",
        "The car's own report shows that it is done. There is nothing more to press."),
    Reason.ACTION_NOT_GRANTED: Advice(NEVER, NO,
        "이 스마트키로는 할 수 없는 동작이에요. 스마트키를 준 사람에게 물어봐 주세요.",
        "This smart key does not allow that. Ask whoever gave it to you."),
    Reason.REASON_NEEDED: Advice(0, NO,
        "사유가 없어 보내지 않았어요. 사유를 적고 다시 눌러 주세요.",
        "Nothing was sent without a reason. Say why, then press again."),
    Reason.STOPPED: Advice(NEVER, NO,
        "안전을 위해 원격 기능을 잠시 멈췄어요. 잠그기만 할 수 있어요. 고객센터로 전화해 주세요.",
        "Remote functions are stopped for safety. You can still lock the car. Please call us."),
}
# fmt: on
STANDING = {
    Event.OFFLINE: Reason.VEHICLE_OFFLINE,
    Event.WITHHELD: Reason.GRANT_REVOKED,
    Event.PUBLISH_REFUSED: Reason.CHANNEL_DOWN,
    Event.PUBLISH_UNSURE: Reason.DEVICE_TIMEOUT,
    Event.ALREADY_DONE: Reason.ALREADY_DONE,
    Event.REJECTED: Reason.DEVICE_FAULT,
    Event.FAILED: Reason.DEVICE_FAULT,
    Event.SEEN_DONE: Reason.SEEN_IN_STATE,
    Event.EXPIRED: Reason.DEVICE_TIMEOUT,
    Event.GRACE_OVER: Reason.DEVICE_TIMEOUT,
}
"""The reason an event brings with it when nobody gives a better one."""


def contract(reason: Reason, retry_after: int | None = None) -> dict[str, Any]:
    """What a refusal tells beside its code; `retry_after` where a better one is known."""
    advice = ADVICE[reason]
    return {
        "retryable": advice.retryable,
        "may_have_executed": advice.may_have_executed,
        "retry_after": advice.retry_after if retry_after is None else retry_after,
        "messages": {"ko": advice.ko, "en": advice.en},
    }


class ActionNotGranted(Forbidden):
    """This smart key does not allow that."""

    def __init__(self) -> None:
        super().__init__("", **contract(Reason.ACTION_NOT_GRANTED))


class StepUpRequired(Forbidden):
    """Show once more that it is you."""

    def __init__(self) -> None:
        super().__init__("", **contract(Reason.STEP_UP_REQUIRED))


class TooFar(Forbidden):
    """You are too far from the car."""

    def __init__(self) -> None:
        super().__init__("", **contract(Reason.TOO_FAR))


class Stopped(Forbidden):
    """Remote functions are stopped; only locking is possible."""

    def __init__(self) -> None:
        super().__init__("", **contract(Reason.STOPPED))


class ReasonNeeded(Refused):
    """Staff act for a customer with a reason, or not at all."""

    def __init__(self) -> None:
        super().__init__("", **contract(Reason.REASON_NEEDED))


class NoSuchCommand(NotFound):
    """There is no such command for this smart key."""


class CarBusy(Busy):
    """The car is working on another command."""

    code = Reason.BUSY.value

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("", retry_after)
        self.extra = contract(Reason.BUSY, retry_after)


class RateLimited(TooMany):
    """Too many commands to this car."""

    code = Reason.RATE_LIMITED.value

    def __init__(self, retry_after: int) -> None:
        super().__init__("", retry_after)
        self.extra = contract(Reason.RATE_LIMITED, retry_after)


class KeyTaken(Conflict):
    """This key already has its command."""


class CarTaken(Conflict):
    """Another command was given to the car between our look and our write, or it was stopped."""


class MovedOn(Conflict):
    """The command has left the state this event starts from."""


class NotAccepted(Exception):
    """The transport refused the command: it has certainly not left."""


class NotConnected(NotAccepted):
    """The car has no connection it could be handed over by."""


class PerhapsAccepted(Exception):
    """The transport did not say whether it took the command."""
