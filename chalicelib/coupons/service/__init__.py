"""Use cases of campaigns, codes and coupons, and the spending of a budget that many draw on at once.

`campaigns`: for those who run them. `codes`: batches of codes. `box`: a customer's coupons. `people`: who may
have some, and one coupon looked up. `holds`: what a checkout does with one. `reclaims`: what comes back after
a campaign's end. `budgets`: how an amount is taken from the shards. `desk`: what all of them have.
"""

from chalicelib.coupons.service.box import Box
from chalicelib.coupons.service.budgets import CACHE_AGE, Budgets
from chalicelib.coupons.service.campaigns import Campaigns
from chalicelib.coupons.service.codes import Codes
from chalicelib.coupons.service.holds import Holds
from chalicelib.coupons.service.people import People
from chalicelib.coupons.service.ports import Store
from chalicelib.coupons.service.reclaims import Reclaims

__all__ = ["CACHE_AGE", "Budgets", "CouponService", "Store"]


class CouponService(Campaigns, Codes, Box, People, Holds, Reclaims, frozen=True):
    """All of them at one desk."""
