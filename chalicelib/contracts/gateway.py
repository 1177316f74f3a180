"""The offices that must be asked before somebody drives: licences and recalls.

Both stand behind one relay (`OFFICES_URL`), whose questions are ours: `POST /licences {licence_no, name,
birth_date, at} -> {valid, reason}` and `GET /recalls/<car_id> -> {open, campaign}`. What proves a person
travels in a body and never in an address or a log.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3
from msgspec import Struct

from chalicelib.contracts.model import Driver, OfficeAway, Verdict

SECONDS = 2.0
RETRIES = urllib3.Retry(total=1, redirect=False, allowed_methods=None, backoff_factor=0)
REASONS = frozenset({"no_licence", "suspended", "expired", "wrong_class"})
"""An office's other words are not passed on: they could name somebody."""


class _Licence(Struct):
    valid: bool
    reason: str | None = None


class _Recall(Struct):
    open: bool
    campaign: str | None = None


class Offices:
    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(timeout=SECONDS, retries=RETRIES)

    def check(self, driver: Driver, at: datetime) -> Verdict:
        body = {
            "licence_no": driver.licence_no,
            "name": driver.name,
            "birth_date": driver.birth_date.isoformat(),
            "at": at.date().isoformat(),
        }
        said = self._ask(_Licence, "POST", "/licences", json=body)
        reason = said.reason if said.reason in REASONS else "refused"
        return Verdict(True) if said.valid else Verdict(False, reason or "refused")

    def open_recall(self, car_id: str) -> str | None:
        said = self._ask(_Recall, "GET", f"/recalls/{quote(car_id, safe='')}")
        return (said.campaign or "unnamed") if said.open else None

    def _ask(self, shape: type[Any], method: str, path: str, **body: Any) -> Any:
        if not self._url:
            raise OfficeAway("OFFICES_URL is not set")
        try:
            answer = self._pool.request(method, self._url + path, **body)
            if answer.status != 200:
                raise OfficeAway(f"the office answered {answer.status}")
            return msgspec.json.decode(answer.data, type=shape)
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError) as problem:
            raise OfficeAway(type(problem).__name__) from None
