"""What can go wrong with a smart key, in words its holder can act on."""

from typing import Any, ClassVar

from chalicelib.kernel.errors import Conflict, Forbidden, NotFound, Refused, TooMany, Unauthenticated


class UnknownGrant(NotFound):
    """There is no such smart key."""


class UnknownContract(NotFound):
    """There is no such contract."""


class UnknownHolder(NotFound):
    """This contract names no such driver."""


class NotAssigned(Conflict):
    """This contract has no car yet."""


class ContractOver(Refused):
    """This contract is over, and its car is no longer opened for it."""


class BadWindow(Refused):
    """A smart key must end after it begins, in the future, and within a year."""


class Withheld(Refused):
    """We ended this holder's smart key; only we give a new one: call us."""


class LicenceNotVerified(Refused):
    """This driver's licence is not verified yet."""


class MoreThanOwn(Refused):
    """Nobody gives away more than they may do themselves."""


class BillOverdue(Refused):
    """Pay what is due first; until then nobody new gets a key to this car."""


class ReasonNeeded(Refused):
    """Say why: what staff do about a customer's car is written down with a reason."""


class LinkInvalid(Refused):
    """This link cannot be used."""


class ProofWrong(Refused):
    """That does not match the contract."""


class TooManyAsks(TooMany):
    """A few links were asked for already; wait a little."""


class SessionEnded(Unauthenticated):
    """Open the link in your message, or ask for a new one."""


class Refusal(Forbidden):
    """Known, and may not use this smart key now."""

    ko: ClassVar[str]

    def __init__(self, detail: str = "", **extra: Any) -> None:
        """Nothing was sent to the car; its page says the same in both languages."""
        told = {"ko": self.ko, "en": self.title()}
        super().__init__(
            detail, retryable=False, may_have_executed=False, retry_after=None, messages=told, **extra
        )


class GrantRevoked(Refusal):
    """This smart key was ended; call us if you still need the car."""

    ko = "이 스마트키는 종료되었어요. 차가 필요하면 전화 주세요."


class GrantExpired(Refusal):
    """This smart key's time is over; ask us for a new one."""

    ko = "이 스마트키의 기간이 끝났어요. 새 키를 요청해 주세요."


class NotYetValid(Refusal):
    """This smart key's time has not begun; try again when it has."""

    ko = "이 스마트키는 아직 쓸 수 없어요. 시작 시간 뒤에 다시 해 주세요."


class GrantUsedUp(Refusal):
    """This smart key has opened the car as often as it may; ask whoever gave it to you for another."""

    ko = "이 스마트키로 열 수 있는 횟수를 다 썼어요. 키를 준 분께 다시 요청해 주세요."


class NoSmartKey(Refusal):
    """You have no smart key to this car now; ask us for one."""

    ko = "지금 이 차의 스마트키가 없어요. 새 키를 요청해 주세요."


class OnlyTheCustomer(Forbidden):
    """Only the customer of this contract gives its smart keys away, and takes them back."""


class OnlyOperations(Forbidden):
    """Only we can end this smart key: call us."""


class GrantEnded(Conflict):
    """This smart key has ended; it needs a new one, not a new link."""


class GrantMoved(Conflict):
    """This smart key has changed since it was read."""


class LinkTaken(Conflict):
    """Another exchange of this link was faster."""


class LinkGone(Conflict):
    """This link is no longer the one to send."""


class AlreadyIssued(Conflict):
    """This smart key was asked for before."""


class AlreadySent(Conflict):
    """This link was asked for before."""
