"""Imports the national standard data set of car parks: `python -m infra.parking <file> <stage>`.

The set is 전국주차장정보표준데이터, https://www.data.go.kr/data/15012896/standard.do (32 fields, and
who provided the row), as its CSV (cp949 or UTF-8) or its JSON (`records`). A file is the whole set: what it
no longer holds is removed, what is as it was is not written again. A row that cannot be read is named and
left out.

`infra/local/parking-sample.csv` is in the same form and entirely our own: its places do not exist.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("STAGE", "import")

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from chalicelib.parking.model import Fee, Hours, Place, in_korea
from chalicelib.parking.store import item_of
from infra.local import place as local

SAMPLE = Path(__file__).parent / "local" / "parking-sample.csv"
REQUIRED = ("주차장관리번호", "주차장명", "위도", "경도")
DAYS = {"평일": "weekday", "토요일": "saturday", "공휴일": "holiday"}
CHARGES = {"무료": True, "유료": False, "혼합": False}
MOST_NUMBER = 10_000_000
BATCH = 25
TRIES = 8

Row = dict[str, str]


class NotImported(Exception):
    """The file changed nothing; the sentence says why."""


class Unreadable(Exception):
    """One row cannot be a place; the sentence says why."""


class Refusal(Struct, frozen=True):
    """`number`: of the row, from 1. `what`: its management number and name, as far as it has any."""

    number: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"row {self.number} ({self.what}): {self.why}"


class Reading(Struct, frozen=True):
    places: list[Place]
    refused: list[Refusal]


class Imported(Struct, frozen=True):
    """Counts of places, and the rows that were left out."""

    written: int
    unchanged: int
    removed: int
    refused: list[Refusal]


def read(raw: bytes) -> Reading:
    """Of rows with the same number the one with the latest reference date counts."""
    dated: dict[str, tuple[str, Place]] = {}
    refused: list[Refusal] = []
    for number, row in enumerate(_rows(raw), start=1):
        try:
            place, date = place_of(row), row.get("데이터기준일자", "")
            before = dated.get(place.place_id)
            if before is None or before[0] <= date:
                dated[place.place_id] = date, place
            if before is not None:
                raise Unreadable("its number is not its own; of all rows with it the latest counts")
        except Unreadable as problem:
            what = f"{row.get('주차장관리번호') or '?'} {row.get('주차장명') or '?'}"
            refused.append(Refusal(number, what, str(problem)))
    return Reading([place for _, place in dated.values()], refused)


def _rows(raw: bytes) -> Iterator[Row]:
    text = _text(raw)
    rows = _records(text) if text.lstrip().startswith(("{", "[")) else csv.DictReader(io.StringIO(text))
    for number, row in enumerate(rows):
        if number == 0 and not set(REQUIRED) <= row.keys():
            raise NotImported("this is not the standard data set: it lacks " + ", ".join(REQUIRED))
        # A CSV row that is too long has None as a name, one that is too short None as a value.
        yield {name: str(value or "").strip() for name, value in row.items() if name is not None}


def _text(raw: bytes) -> str:
    for encoding in ("utf-8-sig", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    raise NotImported("this is neither UTF-8 nor cp949")


def _records(text: str) -> Iterable[dict[str, Any]]:
    try:
        found = json.loads(text)
        records = found["records"] if isinstance(found, dict) else found
        return [record for record in records if isinstance(record, dict)]
    except (ValueError, KeyError, TypeError) as problem:
        raise NotImported("this JSON has no readable records") from problem


def place_of(row: Row) -> Place:
    """Unreadable when anything of it is not as the standard says: half a fee would mislead."""
    if row.get("요금정보") not in CHARGES:
        raise Unreadable(f"요금정보 is none of {', '.join(CHARGES)}")
    lat, lon = _degrees(row, "위도"), _degrees(row, "경도")
    if not in_korea(lat, lon):
        raise Unreadable(f"위도 and 경도 ({lat}, {lon}) are not in Korea")
    return Place(
        place_id=_worded(row, "주차장관리번호", 64),
        name=_worded(row, "주차장명", 200),
        address=row.get("소재지도로명주소") or row.get("소재지지번주소") or "",
        lat=lat,
        lon=lon,
        spaces=_whole(row, "주차구획수"),
        free_of_charge=CHARGES[row["요금정보"]],
        fee=Fee(
            _whole(row, "주차기본시간"),
            _whole(row, "주차기본요금"),
            _whole(row, "추가단위시간"),
            _whole(row, "추가단위요금"),
            _whole(row, "1일주차권요금"),
        ),
        hours=Hours(**{DAYS[day]: _hours(row, day) for day in DAYS}),
        phone=row.get("전화번호") or None,
    )


def _worded(row: Row, name: str, most: int) -> str:
    text = row.get(name, "")
    if not text or len(text) > most or not text.isprintable():
        raise Unreadable(f"{name} is empty, too long or no text")
    return text


def _degrees(row: Row, name: str) -> float:
    text = row.get(name, "")
    if not re.fullmatch(r"\d{1,3}(\.\d{1,20})?", text, re.ASCII):
        raise Unreadable(f"{name} {text!r} is no number")
    return float(text)


def _whole(row: Row, name: str) -> int | None:
    text = row.get(name, "").replace(",", "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(\.0+)?", text, re.ASCII) or int(float(text)) > MOST_NUMBER:
        raise Unreadable(f"{name} {text!r} is no whole number")
    return int(float(text))


def _hours(row: Row, day: str) -> str | None:
    """None on a day on which it does not operate, and where opening and closing are the same: closed, or open
    all day, depending on who wrote it."""
    opens, closes = _clock(row, f"{day}운영시작시각"), _clock(row, f"{day}운영종료시각")
    days = row.get("운영요일", "")
    if (days and day not in days) or opens is None or closes is None or opens == closes:
        return None
    return f"{opens}-{closes}"


def _clock(row: Row, name: str) -> str | None:
    text = row.get(name, "")
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,2}):?(\d\d)(:\d\d)?", text, re.ASCII)
    if not found or int(found[1]) * 60 + int(found[2]) > 24 * 60 or int(found[2]) > 59:
        raise Unreadable(f"{name} {text!r} is no time of day")
    return f"{int(found[1]):02d}:{found[2]}"


def load(client: Any, stage: str, path: Path, force: bool = False) -> Imported:
    """Safe to repeat. NotImported when the file would more than halve what is there, unless by `force`."""
    reading = read(path.read_bytes())
    table = f"{stage}-parking"
    wanted = {_key(item): item for item in map(_raw, reading.places)}
    there = {_key(item): item for item in _everything(client, table)}
    if len(wanted) * 2 < max(len(there), 1) and not force:
        raise NotImported(
            f"{len(wanted)} readable places would replace {len(there)}; FORCE=1 if that is meant"
        )
    fresh = [item for key, item in wanted.items() if there.get(key) != item]
    gone = [item for key, item in there.items() if key not in wanted]
    _write(client, table, ({"PutRequest": {"Item": item}} for item in fresh))
    _write(client, table, ({"DeleteRequest": {"Key": _key_of(item)}} for item in gone))
    return Imported(len(fresh), len(wanted) - len(fresh), len(gone), reading.refused)


def _raw(place: Place) -> dict[str, Any]:
    item: dict[str, Any] = item_of(place).get_save_kwargs_from_instance()["Item"]
    return item


def _key_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"pk": item["pk"], "sk": item["sk"]}


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _everything(client: Any, table: str) -> Iterator[dict[str, Any]]:
    """A scan: this is a command that a person gives now and then, and no request waits for it."""
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _write(client: Any, table: str, requests: Iterable[dict[str, Any]]) -> None:
    waiting = iter(requests)
    while batch := list(islice(waiting, BATCH)):
        left: dict[str, Any] = {table: batch}
        for attempt in range(TRIES):
            left = client.batch_write_item(RequestItems=left).get("UnprocessedItems") or {}
            if not left:
                break
            time.sleep(0.05 * 2**attempt)
        else:
            raise NotImported("DynamoDB takes no more; the same command goes on where this one stopped")


def main() -> int:
    options = argparse.ArgumentParser(description="import the national standard data set of car parks")
    options.add_argument("file", type=Path)
    options.add_argument("stage")
    options.add_argument(
        "--force", action="store_true", help="also when it would more than halve what is there"
    )
    given = options.parse_args()
    dynamodb = local.client("dynamodb") if given.stage == local.STAGE else boto3.client("dynamodb")
    try:
        done = load(dynamodb, given.stage, given.file, given.force)
    except (NotImported, OSError, BotoCoreError, ClientError) as problem:
        print(f"handover: {problem}", file=sys.stderr)
        return 1
    for refusal in done.refused:
        print(f"left out: {refusal}")
    print(
        f"{done.written} written, {done.unchanged} as they were, {done.removed} removed, "
        f"{len(done.refused)} rows left out"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
