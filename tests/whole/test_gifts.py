"""From a list of customers to a coupon in each box and a text to who agreed, by the deployed rules."""

from datetime import timedelta

from chalicelib.handlers.notices import notices_sweep
from tests.api import bearer
from tests.conftest import NOON
from tests.coupons.examples import campaign_body
from tests.notices.conftest import texts_sent
from tests.whole.conftest import OPS, World

KIM, LEE = bearer("kim"), bearer("lee")


def test_targets_have_their_coupon_at_once_and_hear_of_it_as_they_agreed(world: World) -> None:
    for number, name in enumerate(("kim", "lee"), 1):
        world.signed(name, number)
    assert world.api.send("PUT", "/v1/me/consents", {"marketing": True}, by=KIM).status_code == 200
    campaign_id = world.says(OPS, "/v1/ops/campaigns", campaign_body())["campaign_id"]
    world.clock.move_to(NOON + timedelta(hours=10), tick=False)  # ten in the evening
    before = len(texts_sent())
    path = f"/v1/ops/campaigns/{campaign_id}/targets"
    world.says(OPS, path, {"batch_id": "t1", "customers": ["kim", "lee", "nobody"], "send": True})

    ((kims,), (lees,)) = (world.sees(who, "/v1/me/coupons")["coupons"] for who in (KIM, LEE))
    assert (kims["why_not"], lees["why_not"]) == (None, None)
    assert world.sees(OPS, f"{path}/t1")["texts"] == {"sent": 0, "waiting": 1, "refused": {"NO_CONSENT": 2}}
    assert len(texts_sent()) == before
    world.clock.move_to(NOON + timedelta(hours=20), tick=False)  # eight in the morning
    notices_sweep({}, None)
    (text,) = texts_sent()[before:]
    assert (text[0], text[1][:4]) == ("+821012345601", "(광고)")
    assert world.sees(OPS, f"{path}/t1")["texts"] == {"sent": 1, "waiting": 0, "refused": {"NO_CONSENT": 2}}
    code = text[1].splitlines()[1]
    assert world.says(KIM, "/v1/me/coupons", {"code": code})["coupon_id"] == kims["coupon_id"]


def test_a_leaked_batch_is_made_void_and_nobody_registers_from_it(world: World) -> None:
    campaign_id = world.says(OPS, "/v1/ops/campaigns", campaign_body())["campaign_id"]
    path = f"/v1/ops/campaigns/{campaign_id}"
    world.says(OPS, f"{path}/codes", {"batch_id": "b1", "count": 40})
    first, second, *_ = world.sees(OPS, f"{path}/codes/b1")["codes"]
    world.says(KIM, "/v1/me/coupons", {"code": first})
    world.says(OPS, f"{path}/batches/b1/void", {"reason": "leaked"})
    (batch,) = world.sees(OPS, f"{path}/batches")["batches"]
    assert (batch["state"], batch["voided"]) == ("VOID", 40)
    (mine,) = world.sees(KIM, "/v1/me/coupons")["coupons"]
    assert mine["why_not"] == "void"
    assert world.api.post("/v1/me/coupons", {"code": second}, by=LEE, key="k").status_code == 422
