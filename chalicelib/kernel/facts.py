"""Published facts: CloudEvents 1.0 envelopes (github.com/cloudevents/spec), past tense, no personal data.

The row written in the transition's own transaction is the fact; `kernel.bus` carries it from the table's
stream to the bus, and a consumer knows this envelope and its own schema of `data`.
"""

import builtins
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from chalicelib.kernel.clock import moment, stamp

T = TypeVar("T", bound=msgspec.Struct)
SOURCE = "handover."


class Fact(msgspec.Struct, frozen=True):
    """`source` is the context's name; `subject` the id of what it happened to; `time` a sortable stamp."""

    id: str
    type: str
    source: str
    subject: str
    time: str
    data: dict[str, Any]

    @classmethod
    def of(cls, type: str, source: str, subject: str, *, at: datetime, id: str, data: Any) -> "Fact":
        return cls(id, type, source, subject, stamp(at), msgspec.to_builtins(data))

    def envelope(self) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": SOURCE + self.source,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.data,
        }

    def json(self) -> str:
        return msgspec.json.encode(self.envelope()).decode()

    @property
    def at(self) -> datetime:
        return moment(self.time)

    def data_as(self, shape: "builtins.type[T]") -> T:
        """The data as this consumer reads it; fields it does not know are ignored."""
        return msgspec.convert(self.data, shape)


def fact_of(event: dict[str, Any]) -> Fact:
    """The fact inside an EventBridge invocation."""
    detail = event["detail"]
    source = str(detail["source"]).removeprefix(SOURCE)
    return Fact(
        detail["id"],
        detail["type"],
        source,
        detail["subject"],
        detail["time"],
        detail["data"],
    )
