"""What the API says about campaigns, books and settlements in these tests, in the contexts' shapes."""

from typing import Any

from tests.pages.site import Reply, Site

CMP = "cmp_3rv0tq8m4yk2w"
AT = f"/v1/ops/campaigns/{CMP}"
CAMPAIGNS = "GET /v1/ops/campaigns"
CREATE = "POST /v1/ops/campaigns"
CAMPAIGN = f"GET {AT}"
SPEND = f"GET {AT}/spend"
BATCHES = f"GET {AT}/batches"
CODES = f"POST {AT}/codes"
FILE = f"GET {AT}/codes/20261120-1?format=csv"
TARGETS = f"POST {AT}/targets"
VOID = f"POST {AT}/batches/20261120-1/void"
LOOKUP = "GET /v1/ops/lookup"
RUNS = "/v1/ops/reconciliations"
RUN = f"GET {RUNS}/run_1"
REPAIRS = "POST /v1/ops/repairs"
SPONSOR = "POST /v1/ops/sponsors"
PEOPLE = f"{SPONSOR}/sky-air/people"
MEMBERS = "POST /v1/ops/groups/vip/members"
GRANTS = "POST /v1/ops/points/grants"
APPROVE = f"{GRANTS}/pgr_1/approve"
SPONSORED = "GET /v1/sponsor/campaigns"
SETTLEMENTS = "GET /v1/sponsor/settlements"

RUNNING: dict[str, Any] = {
    "campaign_id": CMP,
    "name": "첫 달 축하",
    "kind": "fixed",
    "value": 5_000,
    "max_discount": None,
    "min_order": 30_000,
    "per_user_limit": 1,
    "opens_at": "2026-11-01T00:00:00Z",
    "closes_at": "2026-12-31T14:59:00Z",
    "budget": 3_000_000,
    "available": 1_890_000,
    "reserved": 10_000,
    "captured": 1_150_000,
    "refunded": 50_000,
    "state": "OPEN",
    "count_limit": 600,
    "counts": {
        "issued": 2_000,
        "registered": 430,
        "reserved": 2,
        "captured": 230,
        "refunded": 10,
        "left": 378,
    },
    "shards": 8,
    "mode": "sharded",
    "at_the_edge": "partial",
    "sponsor_id": "sky-air",
    "sponsor_percent": 50,
    "download": False,
    "description": "",
    "scope": {"kinds": ["contract_fee"], "plans": ["first-car"], "groups": []},
    "reserve_at": "redeem",
    "created_at": "2026-10-30T02:00:00Z",
}
DAYS = [
    {"day": f"2026-11-{day:02}", "captured": captured, "refunded": refunded, "count": captured // 5_000}
    for day, captured, refunded in (
        (12, 40_000, 0),
        (13, 95_000, 5_000),
        (14, 210_000, 0),
        (15, 180_000, 15_000),
        (16, 60_000, 0),
        (17, 5_000, 20_000),
        (18, 240_000, 10_000),
        (19, 320_000, 0),
    )
]
DONE: dict[str, Any] = {
    "campaign_id": CMP,
    "batch_id": "20261120-1",
    "kind": "codes",
    "state": "DONE",
    "issued": 1_000,
    "count": 1_000,
    "created_at": "2026-11-20T02:00:00Z",
    "per_second": 2_500.0,
    "seconds_left": None,
    "voided": None,
}
GROWING = {
    **DONE,
    "seconds_left": 25,
    "batch_id": "20261120-2",
    "state": "ISSUING",
    "issued": 37_000,
    "count": 100_000,
}
TOLD: dict[str, Any] = {
    "campaign_id": CMP,
    "batch_id": "20261120-3",
    "state": "DONE",
    "issued": 2,
    "count": 3,
    "created_at": "2026-11-20T02:00:00Z",
    "send": True,
    "refused": {"NOT_IN_GROUP": 1},
    "texts": {"sent": 1, "waiting": 0, "refused": {"NO_CONSENT": 1}},
}
LOOK: dict[str, Any] = {
    "coupons": [
        {"coupon_id": f"{CMP}.AAAA", "state": "USED", "customer_id": "sub-jiwoo", "used_by": "chk_1"}
    ],
    "attempts": [
        {
            "checkout_id": "chk_1",
            "customer_id": "sub-jiwoo",
            "order_id": "con_1",
            "coupon_id": f"{CMP}.AAAA",
            "campaign_id": CMP,
            "state": "CAPTURED",
            "reserved_at": "2026-11-19T03:00:00Z",
            "entries": [
                {
                    "cause": f"chk_1/{what}",
                    "what": what,
                    "at": at,
                    "legs": [
                        {"account": f"campaign/{CMP}/3/{giver}", "amount": -5_000},
                        {"account": f"campaign/{CMP}/3/{taker}", "amount": 5_000},
                    ],
                }
                for what, at, giver, taker in (
                    ("reserved", "2026-11-19T03:00:00Z", "available", "reserved"),
                    ("captured", "2026-11-19T03:01:30Z", "reserved", "captured"),
                )
            ],
        }
    ],
    "refusals": [
        {
            "at": "2026-11-19T02:58:00Z",
            "code": "ORDER_TOO_SMALL",
            "customer_id": "sub-jiwoo",
            "order_id": "con_1",
            "coupon_id": f"{CMP}.AAAA",
            "campaign_id": CMP,
            "checkout_id": None,
        }
    ],
    "looked": {"since": "2026-11-13T00:00:00Z", "complete": True},
    "points": {"balance": 12_300, "held": 500, "debt": 0},
}
GIVEN: dict[str, Any] = {
    "grant_id": "pgr_1",
    "state": "GIVEN",
    "customer_id": "sub-jiwoo",
    "points": 5_000,
    "expires_at": "2027-11-30T15:00:00Z",
}
RICHER = {"balance": 17_300, "held": 500, "debt": 0}
CLEAN: dict[str, Any] = {
    "run_id": "run_0",
    "campaign_id": None,
    "by": "schedule",
    "at": "2026-11-19T18:00:00Z",
    "ended_at": "2026-11-19T18:02:00Z",
    "state": "DONE",
    "checked": 8_412,
    "differences": [],
    "more": 0,
}
WRONG: dict[str, Any] = {
    **CLEAN,
    "run_id": "run_1",
    "by": "mina",
    "at": "2026-11-20T02:30:00Z",
    "differences": [
        {
            "item": "shard 3",
            "account": f"campaign/{CMP}/3/available",
            "expected": 235_000,
            "found": 230_000,
            "amount": -5_000,
        }
    ],
}
SETTLED: dict[str, Any] = {
    "sponsor_id": "sky-air",
    "period": "2026-11",
    "preliminary": True,
    "lines": [
        {
            "campaign_id": CMP,
            "day": "2026-11-18",
            "captured": 240_000,
            "refunded": 10_000,
            "net": 230_000,
            "count": 46,
            "share": 115_000,
        },
        {
            "campaign_id": CMP,
            "day": "2026-11-19",
            "captured": 0,
            "refunded": 20_000,
            "net": -20_000,
            "count": -4,
            "share": -10_000,
        },
    ],
    "sums": {"captured": 240_000, "refunded": 30_000, "net": 210_000, "count": 42, "share": 105_000},
    "rounding": "down",
    "digest": "ab" * 32,
}
MINE = {"campaign_id": CMP, "name": "첫 달 축하", "sponsor_percent": 50, "created_at": "2026-10-30T02:00:00Z"}
MONTHS = {
    "periods": [{"period": "2026-11", "preliminary": True}, {"period": "2026-10", "preliminary": False}]
}


def campaigns(*each: dict[str, Any], cursor: str | None = None) -> Reply:
    return Reply(body={"campaigns": list(each), "next_cursor": cursor})


def batches(*each: dict[str, Any]) -> Reply:
    return Reply(body={"batches": list(each), "next_cursor": None})


def runs_campaigns(site: Site) -> None:
    """Operations with one campaign that runs, and one that is over."""
    over = {**RUNNING, "campaign_id": "cmp_old", "name": "지난여름", "state": "CLOSED"}
    site.says(CAMPAIGNS, campaigns(RUNNING, over))
    site.says(CAMPAIGN, Reply(body=RUNNING))
    site.says(SPEND, Reply(body={"days": DAYS}))
    site.says(BATCHES, batches(DONE))
    site.says(f"GET {RUNS}", Reply(body={"reconciliations": [WRONG, CLEAN]}))
    site.says(RUN, Reply(body=WRONG))


def sponsors(site: Site) -> None:
    """A sponsor with a campaign, this month and the last."""
    site.says(SPONSORED, Reply(body={"campaigns": [MINE]}))
    site.says(SETTLEMENTS, Reply(body=MONTHS))
    site.says(f"{SETTLEMENTS}/2026-11", Reply(body=SETTLED))
    final = {**SETTLED, "period": "2026-10", "preliminary": False}
    site.says(f"{SETTLEMENTS}/2026-10", Reply(body=final))
