"""What campaigns, codes and coupons refuse."""

from chalicelib.kernel.errors import Conflict, NotFound, Refused, TooMany


class UnknownCampaign(NotFound):
    """There is no such campaign."""


class UnknownBatch(NotFound):
    """There is no such batch of codes."""


class UnknownCoupon(NotFound):
    """You have no such coupon."""


class NotOffered(Refused):
    """This is not offered."""


class CampaignNotOpen(Refused):
    """This campaign has not opened yet."""


class CampaignClosed(Refused):
    """This campaign is closed."""


class CampaignPaused(Refused):
    """This campaign is paused."""


class BudgetExhausted(Refused):
    """The campaign's budget is spent."""


class BudgetShort(Refused):
    """Less is left than your coupon is worth; confirm the smaller discount."""


class BudgetTooSmall(Refused):
    """The budget does not cover that many coupons."""


class CutTooDeep(Refused):
    """Only what is neither spent nor reserved can be cut."""


class NoCountLimit(Refused):
    """This campaign has no limit of uses to add to."""


class OrderTooSmall(Refused):
    """The order is below the coupon's minimum."""


class NothingToDiscount(Refused):
    """The coupon takes nothing off this order."""


class CouponUsed(Refused):
    """This coupon is used."""


class CouponVoid(Refused):
    """This coupon is no longer valid."""


class UserLimitReached(Refused):
    """You have used this campaign's coupons as often as it allows."""


class CodeRefused(Refused):
    """This code cannot be registered."""

    def __init__(self, why: str = "UNKNOWN", coupon_id: str | None = None) -> None:
        """Both are for the log; whoever typed the code hears the same in every case."""
        super().__init__()
        self.aside = {"why": str(why), "refused_coupon_id": coupon_id}


class BatchDiffers(Refused):
    """A batch of that name was asked for with another count."""


class TopUpDiffers(Refused):
    """A top-up of that name was made with another amount."""


class CutDiffers(Refused):
    """A cut of that name was made with another amount."""


class TooManyCodes(TooMany):
    """Too many wrong codes; wait a moment."""


class ShardShort(Conflict):
    """One shard of the budget holds less than was asked: of the whole budget it says nothing."""


class ShardMerged(Conflict):
    """What this shard had is in the first one now."""


class CampaignMoved(Conflict):
    """The campaign was changed in between."""


class NotHeld(Conflict):
    """The coupon is not used by that checkout."""


class NotBound(Conflict):
    """Less is bound for this coupon than was to be taken."""


class CouponDoomed(Conflict):
    """This coupon's batch was made void meanwhile: nothing stays bound for it."""


class NotAsFound(Conflict):
    """The shard has moved on since it was looked at."""


class BatchNotDone(Conflict):
    """These codes are still being issued."""


class BatchMoved(Conflict):
    """Another run is further on with this batch."""


class CodeTaken(Conflict):
    """A new code has the hash of one that was issued before."""


class AlreadyDone(Conflict):
    """This was written before: by the same request, or by another under the same name."""


class UnknownGroup(NotFound):
    """No group can have that name."""


class BatchVoid(Refused):
    """These codes are void."""


class NobodyInGroup(Refused):
    """None of these customers is in a group that the campaign is for."""


class TooManyGroups(Refused):
    """A customer cannot be in that many groups."""


class GiftOver(Conflict):
    """This coupon is used or void, or its campaign over."""


class CouponMoved(Conflict):
    """The coupon was used or given back meanwhile; look again."""
