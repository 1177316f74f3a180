"""The coupons store in memory: the same promises as `chalicelib.coupons.store`, in dictionaries."""

from tests.coupons.memory.campaigns import MemoryCampaigns
from tests.coupons.memory.codes import MemoryCodes
from tests.coupons.memory.holds import MemoryHolds
from tests.coupons.memory.people import MemoryPeople

__all__ = ["MemoryCoupons"]


class MemoryCoupons(MemoryCampaigns, MemoryCodes, MemoryPeople, MemoryHolds):
    pass
