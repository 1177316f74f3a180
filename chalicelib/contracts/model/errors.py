"""What can go wrong with a contract, a car or a key."""

from chalicelib.kernel.errors import Busy, Conflict, Forbidden, NotFound, Refused


class UnknownContract(NotFound):
    """There is no such contract."""


class UnknownCar(NotFound):
    """There is no such car."""


class UnknownHolder(NotFound):
    """This contract names no such driver."""


class UnknownPlan(NotFound):
    """There is no such plan."""


class NotYours(Forbidden):
    """Somebody else must say this."""


class TermNotOffered(Refused):
    """This plan is not offered for so many months."""


class HandoverOutOfReach(Refused):
    """The handover must lie ahead, and within a year."""


class DriverTooYoung(Refused):
    """Every driver must be of driving age on the day of the handover."""


class DriverNamed(Conflict):
    """This licence is already named in the contract."""


class TooManyDrivers(Refused):
    """A contract names at most five drivers."""


class FirstDriverStays(Refused):
    """The first driver is the customer and cannot be removed."""


class NotTheCarsKey(Refused):
    """This key tag belongs to another car."""


class CarUnderRecall(Refused):
    """A car with an open recall is not newly rented."""


class CarBlocked(Refused):
    """A key of this car is lost; it is rented again when its locks know new keys."""


class SameCar(Refused):
    """A swap needs another car."""


class NoCarOffered(Conflict):
    """No other car was offered for this swap yet."""


class NotAssigned(Conflict):
    """This contract has no car yet."""


class CarTaken(Conflict):
    """This car is promised to another contract."""


class CarDiffers(Conflict):
    """This car is already registered with other particulars."""


class KeyTagTaken(Conflict):
    """This key tag hangs on another car."""


class NotPayable(Conflict):
    """This contract is not awaiting payment."""


class TooLate(Conflict):
    """The cancellation has taken effect."""


class ConsentTooEarly(Refused):
    """A higher fee can be agreed in the last 30 days of the term only."""


class NotYetHappened(Refused):
    """This time still lies ahead."""


class MovedOn(Conflict):
    """The contract has changed since it was read."""


class AlreadySigned(Conflict):
    """This contract was signed before."""


class AlreadyAsked(Conflict):
    """This request was granted before."""


class AlreadyRefused(Conflict):
    """This payment was refused before."""


class OfficeAway(Busy):
    """An office we must ask does not answer; try again."""
