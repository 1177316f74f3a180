"""The DynamoDB of the schedules answers as moto's does."""

import re
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import table_definitions
from tests.money.rows import Rows
from tests.money.wire import both

TABLE = "test-coupons"
KEYS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(-3, 9)
CONDITIONS = st.sampled_from(
    [
        None,
        "attribute_not_exists (pk)",
        "attribute_exists (n) AND n >= :m",
        "attribute_not_exists (n) OR n < :m",
        "#s = :s AND n BETWEEN :l AND :m",
        "NOT #s = :s",
        "#s <> :s",
        "#s IN (:s, :t)",
        "begins_with (#s, :t)",
        "attribute_exists (nest.#s) AND n < :m",
    ]
)
UPDATES = st.sampled_from(
    [
        "SET n = :m, #s = :s",
        "SET #s = :t REMOVE n",
        "ADD n :m SET #s = :s",
        "ADD n :m, tags :x",
        "DELETE tags :x",
        "SET n = if_not_exists(n, :l) + :m",
        "SET nest.#s = :m",
        "SET nest = :i REMOVE spare",
        "REMOVE nest.#s",
        "SET things = list_append(if_not_exists(things, :e), :y)",
    ]
)


def _values(text: str, m: int, low: int) -> dict[str, Any]:
    every: dict[str, Any] = {
        ":m": {"N": str(m)},
        ":l": {"N": str(low)},
        ":s": {"S": "open"},
        ":t": {"S": "op"},
        ":x": {"SS": ["open", "x"]},
        ":i": {"M": {"k": {"N": "1"}}},
        ":e": {"L": []},
        ":y": {"L": [{"N": str(m)}]},
    }
    return {name: value for name, value in every.items() if name in re.findall(r":\w", text)}


@st.composite
def actions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    key = {"pk": {"S": draw(KEYS)}, "sk": {"S": "ROW"}}
    verb = draw(st.sampled_from(["Put", "Update", "Update", "Delete", "ConditionCheck"]))
    test = draw(CONDITIONS) or ("attribute_exists (pk)" if verb == "ConditionCheck" else None)
    change = draw(UPDATES) if verb == "Update" else ""
    request: dict[str, Any] = {"TableName": TABLE, "Key": key}
    if verb == "Put":
        more = {"n": {"N": str(draw(NUMBERS))}, "state": {"S": "open"}, "tags": {"SS": ["open"]}}
        request = {"TableName": TABLE, "Item": {**key, **more, "nest": {"M": {"state": {"N": "2"}}}}}
    text = f"{change} {test or ''}"
    if change:
        request["UpdateExpression"] = change
    if test:
        request["ConditionExpression"] = test
    if "#s" in text:
        request["ExpressionAttributeNames"] = {"#s": "state"}
    if values := _values(text, draw(NUMBERS), draw(NUMBERS)):
        request["ExpressionAttributeValues"] = values
    if test:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return verb, request


ALONE = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}


@settings(max_examples=40, derandomize=True)
@given(st.lists(st.lists(actions(), min_size=1, max_size=3), max_size=12))
def test_any_writes_leave_the_rows_that_moto_has(calls: list[list[tuple[str, dict[str, Any]]]]) -> None:
    from tests.strict import create, strict

    with strict():
        from chalicelib.kernel.aws import client

        moto, rows = client("dynamodb"), Rows(table_definitions())
        create(table_definitions())
        ask = both(rows, moto)
        for call in calls:
            verb, request = call[0]
            try:
                if len(call) == 1 and verb in ALONE:
                    ask(ALONE[verb], request)
                else:
                    ask("TransactWriteItems", {"TransactItems": [{verb: it} for verb, it in call]})
            except ClientError:
                pass
            ask("Scan", {"TableName": TABLE})
