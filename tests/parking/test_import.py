"""The standard data set as it is published: read, kept, corrected, and forgotten when it is gone."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.parking.model import Hours
from infra import parking
from infra.parking import NotImported, read

TEXT = parking.SAMPLE.read_text()
ROWS = list(csv.DictReader(io.StringIO(TEXT)))
STANDARD = 32


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ROWS[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def spoilt(**changes: str) -> list[parking.Refusal]:
    """What is said of the sample's first row with these values."""
    reading = read(as_csv([{**ROWS[0], **changes}, ROWS[1]]))
    assert len(reading.places) + len(reading.refused) == 2
    return reading.refused


def test_the_sample_has_the_standard_s_fields_and_no_fault() -> None:
    assert len(ROWS[0]) == STANDARD + len(("제공기관코드", "제공기관명"))
    reading = read(TEXT.encode())
    assert (len(reading.places), reading.refused) == (len(ROWS), [])


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode("cp949"),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        json.dumps({"fields": [{"id": name} for name in ROWS[0]], "records": ROWS}).encode(),
        json.dumps({"records": ROWS}, ensure_ascii=False).encode("cp949"),
    ],
    ids=["cp949", "utf-8 with a mark", "windows lines", "json", "json in cp949"],
)
def test_every_published_form_says_the_same(raw: bytes) -> None:
    assert read(raw) == read(TEXT.encode())


def test_a_place_is_what_its_row_says() -> None:
    (row,) = [row for row in ROWS if row["주차장관리번호"] == "900-3-000002"]
    (place,) = read(as_csv([row])).places
    assert (place.name, place.spaces, place.free_of_charge) == ("바다 민영주차장 2", 240, False)
    assert (place.lat, place.lon) == (37.561071, 126.992555)
    assert (place.fee.basic_minutes, place.fee.basic_amount, place.fee.day_amount) == (5, 400, 20_000)
    assert place.hours == Hours("09:00-18:00", "09:00-18:00", "10:00-17:00")
    assert place.phone == "02-000-0002"


def test_on_a_day_on_which_it_does_not_operate_it_has_no_hours() -> None:
    (place,) = read(as_csv([{**ROWS[0], "운영요일": "평일", "토요일운영종료시각": "18:00"}])).places
    assert (place.hours.weekday, place.hours.saturday) == ("08:00-22:00", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("위도", ""),
        ("위도", "nan"),
        ("위도", "127.0"),
        ("경도", "37.5"),
        ("경도", "동경 127도"),
        ("주차장관리번호", ""),
        ("주차장관리번호", "9" * 65),
        ("주차장명", ""),
        ("요금정보", ""),
        ("요금정보", "문의"),
        ("주차기본요금", "천원"),
        ("주차기본요금", "-500"),
        ("추가단위시간", "10분"),
        ("1일주차권요금", "99999999999"),
        ("평일운영시작시각", "25:00"),
        ("평일운영종료시각", "09:61"),
        ("평일운영종료시각", "저녁"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_kept(field: str, value: str) -> None:
    (refusal,) = spoilt(**{field: value})
    assert refusal.number == 1
    assert field in refusal.why


def test_a_row_that_is_cut_off_or_too_long_is_no_reason_to_stop() -> None:
    lines = TEXT.splitlines()
    reading = read("\n".join([lines[0], "900-1-1,half a", lines[2] + ",more,still more", lines[3]]).encode())
    assert [place.place_id for place in reading.places] == ["900-3-000002", "900-2-000003"]
    assert [refusal.number for refusal in reading.refused] == [1]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_rows_with_one_number_the_latest_counts(turned: bool) -> None:
    rows = [{**ROWS[0], "데이터기준일자": f"202{year}-01-01", "주차장명": str(year)} for year in (5, 6)]
    reading = read(as_csv(rows[::-1] if turned else rows))
    assert [place.name for place in reading.places] == ["6"]
    assert len(reading.refused) == 1


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe\x00\x81", b"name,lat\nx,1\n", b"{", b"{}", b'{"records": 7}', b'{"records": [{"a": 1}]}'],
)
def test_something_else_is_not_imported(raw: bytes) -> None:
    with pytest.raises(NotImported):
        read(raw)


def file(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    path = tmp_path / "set.csv"
    path.write_bytes(as_csv(rows))
    return path


def stored(dynamodb: Any) -> dict[str, Any]:
    rows = dynamodb.scan(TableName="test-parking")["Items"]
    return {row["sk"]["S"]: (row["pk"]["S"], row["place"]["S"]) for row in rows}


def test_the_same_set_again_writes_nothing(imported: Any) -> None:
    before = stored(imported)
    again = parking.load(imported, "test", parking.SAMPLE)
    assert (again.written, again.unchanged, again.removed) == (0, len(ROWS), 0)
    assert stored(imported) == before
    assert len(before) == len(ROWS)


def test_what_moved_is_moved_and_what_vanished_is_removed(imported: Any, tmp_path: Path) -> None:
    moved = {**ROWS[0], "위도": "35.1", "경도": "129.0"}
    report = parking.load(imported, "test", file(tmp_path, [moved, *ROWS[2:]]))
    assert (report.written, report.removed) == (1, 2)
    rows = stored(imported)
    assert len(rows) == len(ROWS) - 1
    assert rows["PLACE#900-3-000001"][0] == "CELL#1755:5160"


def test_an_import_that_died_half_way_is_made_good_by_the_next(imported: Any) -> None:
    for row in imported.scan(TableName="test-parking", Limit=20)["Items"]:
        imported.delete_item(TableName="test-parking", Key={"pk": row["pk"], "sk": row["sk"]})
    assert parking.load(imported, "test", parking.SAMPLE).written == 20
    assert len(stored(imported)) == len(ROWS)


def test_a_file_that_would_empty_the_table_needs_to_be_meant(imported: Any, tmp_path: Path) -> None:
    few = file(tmp_path, ROWS[:3])
    with pytest.raises(NotImported, match="3 readable places would replace 76"):
        parking.load(imported, "test", few)
    assert len(stored(imported)) == len(ROWS)
    assert parking.load(imported, "test", few, force=True).removed == len(ROWS) - 3


def test_what_dynamodb_did_not_take_is_sent_again(dynamodb: Any) -> None:
    class Busy:
        """Leaves the first item of every first call."""

        def __init__(self) -> None:
            self.calls = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def batch_write_item(self, **asked: Any) -> Any:
            self.calls += 1
            ((table, requests),) = asked["RequestItems"].items()
            if len(requests) > 1:
                dynamodb.batch_write_item(RequestItems={table: requests[1:]})
                return {"UnprocessedItems": {table: requests[:1]}}
            return dynamodb.batch_write_item(**asked)

    busy = Busy()
    assert parking.load(busy, "test", parking.SAMPLE).written == len(ROWS)
    assert len(stored(dynamodb)) == len(ROWS)
    assert busy.calls > -(-len(ROWS) // 25)
