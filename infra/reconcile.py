"""Reconciles the books of a stage from here: `python -m infra.reconcile <stage> [campaign]`.

As GET /v1/ops/reconciliations shows it afterwards, but with no function's time limit. With a campaign its
book is read from its beginning, else all books from their checkpoints on. What it finds can be repaired.
"""

import argparse
import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import place


def main() -> int:
    """0 when everything agrees."""
    options = argparse.ArgumentParser(description="reconcile the books with checkouts and counters")
    options.add_argument("stage")
    options.add_argument("campaign", nargs="?")
    given = options.parse_args()
    os.environ["STAGE"] = given.stage
    if given.stage == place.STAGE:
        os.environ |= {
            "AWS_ENDPOINT_URL": place.ENDPOINT,
            "AWS_ACCESS_KEY_ID": place.KEY_ID,
            "AWS_SECRET_ACCESS_KEY": place.SECRET_KEY,
            "AWS_REGION": place.REGION,
        }
    try:
        return reconciled(given.campaign or None)
    except (BotoCoreError, ClientError) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1


def reconciled(campaign_id: str | None) -> int:
    """On the stage that the environment names."""
    from chalicelib import wiring  # noqa: PLC0415 - a table's name is read when it is imported
    from chalicelib.kernel.auth import Caller  # noqa: PLC0415
    from chalicelib.kernel.errors import NotFound  # noqa: PLC0415
    from chalicelib.kernel.ids import new_id  # noqa: PLC0415
    from chalicelib.ledger.service.runs import COMMAND  # noqa: PLC0415

    runs = wiring.ledger_runs()
    try:
        run = runs.request(campaign_id, Caller(COMMAND), new_id("req")).value
    except NotFound as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    while run.open:  # the stage's own function works on it too; whoever is first does a book
        run = runs.go_on(run.run_id, lambda: float("inf"))
    for number, each in enumerate(run.differences):
        print(f"{number}  {each.item}  {each.account}: expected {each.expected}, found {each.found}")
    print(f"{run.run_id}: {run.checked} rows read, {run.wrong} differences")
    return int(run.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
