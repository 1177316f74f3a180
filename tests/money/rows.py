"""DynamoDB in memory, quick enough for ten thousand schedules: one call at a time, transactions whole or not.

It keeps the rules that matter here: conditions, at most 100 rows in a transaction and each once, the reasons
of a refusal with the old row. `test_rows.py` plays whole schedules on it and on moto, answer by answer.
Rows are never changed in place: what was read stays as it was.
"""

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from tests.money.expressions import Given, Invalid, Row, condition, update

Request = dict[str, Any]
Key = tuple[str, str]
MOST = 100


def refusal(operation: str, code: str, message: str = "", **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message or code}, **more}
    return ClientError(response, operation)


class _Failed(Exception):
    def __init__(self, old: Row | None) -> None:
        super().__init__("The conditional request failed")
        self.old = old


class Rows:
    """`definitions` as CreateTable takes them. `written` is told every row that a call has changed."""

    def __init__(self, definitions: Iterable[Request]) -> None:
        self.tables: dict[str, dict[Key, Row]] = {}
        self.indexes: dict[tuple[str, str], tuple[str, str | None]] = {}
        self.written: Callable[[str, Key, Row | None], None] = lambda table, key, row: None
        for table in definitions:
            self.tables[table["TableName"]] = {}
            for index in table.get("GlobalSecondaryIndexes", ()):
                keys = {each["KeyType"]: each["AttributeName"] for each in index["KeySchema"]}
                self.indexes[table["TableName"], index["IndexName"]] = keys["HASH"], keys.get("RANGE")

    def call(self, operation: str, request: Request) -> Any:
        try:
            return getattr(self, OPERATIONS[operation])(request)
        except _Failed as failed:
            old = {"Item": failed.old} if failed.old and request.get(RETURN_OLD) == "ALL_OLD" else {}
            raise refusal(operation, "ConditionalCheckFailedException", str(failed), **old) from None
        except Invalid as problem:
            raise refusal(operation, "ValidationException", str(problem)) from None

    # --- reads ---------------------------------------------------------------------------------------------

    def get(self, request: Request) -> Any:
        row = self.tables[request["TableName"]].get(_key(request["Key"]))
        return {} if row is None else {"Item": _projected(row, request)}

    def together(self, request: Request) -> Any:
        return {"Responses": [self.get(each["Get"]) for each in request["TransactItems"]]}

    def batch(self, request: Request) -> Any:
        answers = {
            table: [dict(row) for key in asked["Keys"] if (row := self.tables[table].get(_key(key)))]
            for table, asked in request["RequestItems"].items()
        }
        return {"Responses": answers, "UnprocessedKeys": {}}

    def scan(self, request: Request) -> Any:
        return self._page(sorted(self.tables[request["TableName"]].items()), request, ("pk", "sk"))

    def query(self, request: Request) -> Any:
        table, index = request["TableName"], request.get("IndexName")
        hash_key, range_key = self.indexes[table, index] if index else ("pk", "sk")
        given, test = _given(request), condition(request["KeyConditionExpression"])
        found = [
            (key, row)
            for key, row in self.tables[table].items()
            if hash_key in row and (range_key is None or range_key in row) and test(row, given)
        ]
        order = range_key or "sk"
        found.sort(key=lambda each: (_sortable(each[1][order]), each[0]))
        if request.get("ScanIndexForward") is False:
            found.reverse()
        return self._page(found, request, tuple({"pk", "sk", hash_key, order}))

    def _page(self, found: list[tuple[Key, Row]], request: Request, keys: tuple[str, ...]) -> Any:
        start = request.get("ExclusiveStartKey")
        if start is not None:
            places = [place for place, (key, _) in enumerate(found) if key == _key(start)]
            found = found[places[0] + 1 :] if places else found
        limit = request.get("Limit") or len(found)
        page, more = found[:limit], len(found) > limit
        rows = [row for _, row in page]
        if "FilterExpression" in request:
            test, given = condition(request["FilterExpression"]), _given(request)
            rows = [row for row in rows if test(row, given)]
        answer: Request = {"Count": len(rows), "ScannedCount": len(page)}
        if request.get("Select") != "COUNT":
            answer["Items"] = [_projected(row, request) for row in rows]
        if more:
            answer["LastEvaluatedKey"] = {name: page[-1][1][name] for name in keys}
        return answer

    # --- writes --------------------------------------------------------------------------------------------

    def put(self, request: Request) -> Any:
        self._commit([self._change("Put", request)])
        return {}

    def update(self, request: Request) -> Any:
        change = self._change("Update", request)
        self._commit([change])
        return {"Attributes": dict(change[2] or {})} if request.get("ReturnValues") == "ALL_NEW" else {}

    def delete(self, request: Request) -> Any:
        self._commit([self._change("Delete", request)])
        return {}

    def transact(self, request: Request) -> Any:
        actions = [(verb, action) for item in request["TransactItems"] for verb, action in item.items()]
        named = [(action["TableName"], _key(action.get("Item") or action["Key"])) for _, action in actions]
        if len(set(named)) < len(named):
            raise Invalid("Transaction request cannot include multiple operations on one item")
        if not 0 < len(named) <= MOST:
            raise Invalid("Member must have length less than or equal to 100")
        changes: list[tuple[str, Key, Row | None]] = []
        reasons: list[Request] = []
        for verb, action in actions:
            try:
                changes.append(self._change(verb, action))
                reasons.append({"Code": "None"})
            except _Failed as failed:
                old = {"Item": failed.old} if failed.old and action.get(RETURN_OLD) == "ALL_OLD" else {}
                reasons.append({"Code": "ConditionalCheckFailed", "Message": str(failed), **old})
        if len(changes) < len(actions):
            raise refusal("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
        self._commit(
            [each for each, (verb, _) in zip(changes, actions, strict=True) if verb != "ConditionCheck"]
        )
        return {}

    def _change(self, verb: str, request: Request) -> tuple[str, Key, Row | None]:
        table = request["TableName"]
        key = _key(request["Item"] if verb == "Put" else request["Key"])
        old, given = self.tables[table].get(key), _given(request)
        test = request.get("ConditionExpression")
        if test and not condition(test)(old or {}, given):
            raise _Failed(old)
        if verb == "Put":
            return table, key, dict(request["Item"])
        if verb == "Delete":
            return table, key, None
        new = dict(old or request["Key"])
        if verb == "Update" and request.get("UpdateExpression"):
            update(request["UpdateExpression"])(old or {}, new, given)
        return table, key, new

    def _commit(self, changes: list[tuple[str, Key, Row | None]]) -> None:
        for table, key, row in changes:
            if row is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row
        for table, key, row in changes:
            self.written(table, key, row)


RETURN_OLD = "ReturnValuesOnConditionCheckFailure"
OPERATIONS = {
    "GetItem": "get",
    "TransactGetItems": "together",
    "BatchGetItem": "batch",
    "Query": "query",
    "Scan": "scan",
    "PutItem": "put",
    "UpdateItem": "update",
    "DeleteItem": "delete",
    "TransactWriteItems": "transact",
}
READS = {"GetItem", "TransactGetItems", "BatchGetItem", "Query", "Scan"}


def _key(row: Row) -> Key:
    return row["pk"]["S"], row["sk"]["S"]


def _given(request: Request) -> Given:
    return request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}


def _projected(row: Row, request: Request) -> Row:
    if "ProjectionExpression" not in request:
        return dict(row)
    names = request.get("ExpressionAttributeNames") or {}
    wanted = [names.get(name.strip(), name.strip()) for name in request["ProjectionExpression"].split(",")]
    return {name: row[name] for name in wanted if name in row}


def _sortable(value: dict[str, Any]) -> Any:
    return int(value["N"]) if "N" in value else value["S"]
