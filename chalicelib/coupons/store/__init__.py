"""The store of `service.Store` on DynamoDB, in the table `<stage>-coupons`; its rows stand in `items`."""

from chalicelib.coupons.store.box import BoxStore
from chalicelib.coupons.store.campaigns import CampaignStore
from chalicelib.coupons.store.codes import CodeStore
from chalicelib.coupons.store.holds import HoldStore
from chalicelib.coupons.store.items import CampaignItem, CouponItem, ShardItem, shard_of
from chalicelib.coupons.store.people import PeopleStore

__all__ = ["CampaignItem", "CouponItem", "CouponStore", "ShardItem", "shard_of"]


class CouponStore(CampaignStore, CodeStore, BoxStore, PeopleStore, HoldStore):
    """All rows of the table."""
