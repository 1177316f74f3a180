"""What can go wrong with points."""

from chalicelib.kernel.errors import Busy, Conflict, NotFound, Refused, TooMany


class NotEnoughPoints(Refused):
    """You do not have so many points."""


class TooManyHolds(Refused):
    """Too many purchases with points are under way; finish or cancel one first."""


class WalletMoved(Conflict):
    """The wallet is no longer as it was read."""


class AlreadyBooked(Conflict):
    """What this cause moves was moved before."""


class NotHeld(Conflict):
    """No points are held under that name, or other ones."""


class LastsTooLong(Refused):
    """Points expire within two years, and not before today."""


class NotAlone(Refused):
    """So many points one person does not give alone."""


class OwnGrant(Refused):
    """Somebody else must approve this grant."""


class UnknownGrant(NotFound):
    """There is no such grant to approve."""


class BirthdayFixed(Refused):
    """A birthday can be changed once a year."""


class UnknownPartner(NotFound):
    """There is no such partner."""


class UnknownConversion(NotFound):
    """There is no such conversion."""


class NotConvertible(Refused):
    """This partner does not take that many points."""


class NoCarYet(Refused):
    """Points can be converted once you have had a car from us."""


class TooManyConversions(TooMany):
    """You have converted points very often; wait an hour."""


class EntriesMissing(Conflict):
    """Entries of this wallet are missing: what is left of them proves nothing."""


class PartnerRefused(Refused):
    """The partner does not take these points."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class Unanswered(Busy):
    """The partner did not answer; try again."""


class MovedOn(Conflict):
    """It is no longer where it was seen."""
