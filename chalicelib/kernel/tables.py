"""Rows of a context's table, and the one way to write them: all or nothing, with the meaning of every
failed condition standing beside the condition.

Every table is named `<stage>-<context>` and has the string keys `pk` and `sk`. A published fact is the row
`pk = FACT#<subject>`, `sk = <time>#<id>`, `fact = <CloudEvent>`; a line of a log (`kernel.audit`) the row
`pk = LOG#<log>`, `sk = <number>`, `line`, and `private` and `fact` where it has them.
"""

import base64
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotReached
from msgspec import Struct
from pynamodb.attributes import UnicodeAttribute
from pynamodb.constants import ALL_OLD
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from chalicelib.kernel.audit import Line, Private
from chalicelib.kernel.aws import client
from chalicelib.kernel.errors import Busy, Conflict, Conflicted, HandoverError, Malformed
from chalicelib.kernel.facts import Fact
from chalicelib.kernel.settings import SETTINGS

Rows = Any
"""A look as a service sees it: opened, handed to stores, fetched. Only stores say what to look for."""

Write = Any
"""A transaction as a service sees it: opened, handed to stores, committed. Only stores look inside."""

Raw = dict[str, dict[str, Any]]
Otherwise = type[HandoverError] | Callable[[Raw | None], Exception]
I = TypeVar("I", bound="Item")  # noqa: E741

BUSY_CODES = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
    "ThrottlingException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
}
LOST = "the answer was lost; the same request may be sent again"
FIRST_PAUSE_SECONDS = 0.02
LOOKS = 4


def table_name(context: str) -> str:
    return f"{SETTINGS.stage}-{context}"


class Item(Model):
    """The base of every stored row; a subclass names its table in `Meta`."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    @classmethod
    def _get_connection(cls) -> Any:
        connection = super()._get_connection()
        connection.connection._client = client("dynamodb")  # PynamoDB would build one for each class
        return connection

    @classmethod
    def load(cls: type[I], pk: str, sk: str) -> I | None:
        """Strongly consistent; None when there is no such row."""
        try:
            return cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None


class LogMoved(Conflict):
    """The log has a line of this number already."""


class _Clause(Struct, frozen=True):
    verb: str
    request: dict[str, Any]
    otherwise: Otherwise

    def failure(self, old: Raw | None) -> Exception:
        if isinstance(self.otherwise, type):
            error: Exception = self.otherwise()
            return error
        return self.otherwise(old)


class AllOrNothing:
    """Writes that happen together or not at all, on at most 100 rows, each named once.

    A single clause is sent as a plain conditional write, which costs half. When conditions fail, the first
    failing clause in the caller's order is what is raised: put the one first that makes a retry harmless.
    """

    def __init__(self, attempts: int = 5) -> None:
        """`attempts=1` raises Conflicted at the first conflict, for callers who would rather go elsewhere."""
        self._attempts = attempts
        self._clauses: list[_Clause] = []

    def put(
        self,
        item: Item,
        *,
        only_if: Condition | None = None,
        otherwise: Otherwise = Conflict,
    ) -> None:
        request = item.get_save_kwargs_from_instance(
            condition=only_if, return_values_on_condition_failure=ALL_OLD
        )
        self._clauses.append(_Clause("Put", request, otherwise))

    def update(
        self,
        item: Item,
        *actions: Action,
        only_if: Condition | None = None,
        otherwise: Otherwise = Conflict,
    ) -> None:
        """Of `item` only the keys count."""
        request = item.get_update_kwargs_from_instance(
            actions=list(actions),
            condition=only_if,
            return_values_on_condition_failure=ALL_OLD,
            add_version_condition=False,
        )
        self._clauses.append(_Clause("Update", request, otherwise))

    def delete(
        self,
        item: Item,
        *,
        only_if: Condition | None = None,
        otherwise: Otherwise = Conflict,
    ) -> None:
        request = item.get_delete_kwargs_from_instance(condition=only_if, add_version_condition=False)
        self._clauses.append(_Clause("Delete", request, otherwise))

    def check(self, item: Item, *, only_if: Condition, otherwise: Otherwise = Conflict) -> None:
        request = type(item).get_operation_kwargs_from_class(item.pk, range_key=item.sk, condition=only_if)
        self._clauses.append(_Clause("ConditionCheck", request, otherwise))

    def fact(self, table: type[Item], fact: Fact) -> None:
        row = {
            "pk": f"FACT#{fact.subject}",
            "sk": f"{fact.time}#{fact.id}",
            "fact": fact.json(),
        }
        request = {
            "TableName": table.Meta.table_name,
            "Item": {name: {"S": text} for name, text in row.items()},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        self._clauses.append(_Clause("Put", request, Conflict))

    def line(
        self,
        table: type[Item],
        line: Line,
        *,
        private: Private | None = None,
        fact: Fact | None = None,
        ttl: int | None = None,
    ) -> None:
        """A log's next line; with `fact` it is the published fact too, one row for both. LogMoved."""
        row: Raw = {
            "pk": {"S": f"LOG#{line.log}"},
            "sk": {"S": f"{line.no:010d}"},
            "line": {"S": msgspec.json.encode(line).decode()},
        }
        if private is not None:
            row["private"] = {"S": msgspec.json.encode(private).decode()}
        if fact is not None:
            row["fact"] = {"S": fact.json()}
        if ttl is not None:
            row["ttl"] = {"N": str(ttl)}
        request = {
            "TableName": table.Meta.table_name,
            "Item": row,
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        self._clauses.append(_Clause("Put", request, LogMoved))

    def commit(self) -> None:
        """The error of the first failed condition; Conflicted when others held the rows to the end; Busy when
        nobody knows whether it was written."""
        for attempt in range(1, self._attempts + 1):
            try:
                self._send()
                return
            except Conflicted:
                if attempt == self._attempts:
                    raise
                time.sleep(random.uniform(0.2, 1) * FIRST_PAUSE_SECONDS * 2**attempt)

    def _send(self) -> None:
        try:
            if len(self._clauses) == 1 and self._clauses[0].verb != "ConditionCheck":
                self._send_alone(self._clauses[0])
            else:
                items = [{clause.verb: clause.request} for clause in self._clauses]
                client("dynamodb").transact_write_items(TransactItems=items)
        except ClientError as error:
            raise self._meaning(error) from error
        except (HTTPClientError, NotReached) as error:
            raise Busy(LOST) from error

    def _send_alone(self, clause: _Clause) -> None:
        call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[clause.verb]
        getattr(client("dynamodb"), call)(**clause.request)

    def _meaning(self, error: ClientError) -> Exception:
        response: dict[str, Any] = dict(error.response)
        code = response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            return self._clauses[0].failure(response.get("Item"))
        reasons: list[dict[str, Any]] = response.get("CancellationReasons", [])
        for clause, reason in zip(self._clauses, reasons, strict=False):
            if reason.get("Code") == "ConditionalCheckFailed":
                return clause.failure(reason.get("Item"))
        if code in BUSY_CODES or any(reason.get("Code") in BUSY_CODES for reason in reasons):
            return Conflicted()
        if response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            return Busy(LOST)
        return error


def read_log(table: type[Item], log: str, after: int = 0, limit: int = 100) -> list[Line]:
    """The lines behind number `after`, oldest first; strongly consistent."""
    answer = client("dynamodb").query(
        TableName=table.Meta.table_name,
        KeyConditionExpression="pk = :log AND sk > :after",
        ExpressionAttributeValues={":log": {"S": f"LOG#{log}"}, ":after": {"S": f"{after:010d}"}},
        ConsistentRead=True,
        Limit=limit,
    )
    return [msgspec.json.decode(row["line"]["S"], type=Line) for row in answer["Items"]]


class Look:
    """Rows of one or several tables in one call, each as every answered write left it; not all of one moment.

    `row` says what to look for and gives the way to the found row (None when there is none); before `fetch`
    that is a KeyError: what nobody has looked at must not be taken for absent.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, dict[tuple[str, str], Raw]] = {}
        self._found: dict[tuple[str, str, str], Raw | None] = {}

    def row(self, table: type[I], pk: str, sk: str) -> Callable[[], I | None]:
        name = table.Meta.table_name
        self._wanted.setdefault(name, {})[pk, sk] = {"pk": {"S": pk}, "sk": {"S": sk}}

        def found() -> I | None:
            raw = self._found[name, pk, sk]
            return table.from_raw_data(raw) if raw is not None else None

        return found

    def fetch(self) -> None:
        """Busy when the table had no room for all of it, after some tries."""
        asked: Any = {
            name: {"Keys": [*rows.values()], "ConsistentRead": True} for name, rows in self._wanted.items()
        }
        found: dict[tuple[str, str, str], Raw] = {}
        for attempt in range(1, LOOKS + 1):
            answer = client("dynamodb").batch_get_item(RequestItems=asked)
            for name, rows in answer["Responses"].items():
                found |= {(name, row["pk"]["S"], row["sk"]["S"]): row for row in rows}
            asked = answer.get("UnprocessedKeys")
            if not asked:
                wanted = ((name, *key) for name, rows in self._wanted.items() for key in rows)
                self._found = {each: found.get(each) for each in wanted}
                return
            time.sleep(random.uniform(0.2, 1) * FIRST_PAUSE_SECONDS * 2**attempt)
        raise Busy()


def cursor(position: str) -> str:
    """An opaque page token for the sort key a page ended on."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def position(token: str) -> str:
    """The sort key inside a page token; Malformed when it is none of ours."""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError as problem:
        raise Malformed("unknown cursor", (("/cursor", "not a cursor of this list"),)) from problem
