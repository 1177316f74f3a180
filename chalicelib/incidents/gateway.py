"""The queue of pieces: `<stage>-incidents-work`."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.incidents.model import Piece

BATCH = 10
LONGEST_DELAY_SECONDS = 900
"""What SQS allows; a piece that is due later comes early, and goes back."""


class NotQueued(Exception):
    """The queue took some messages and not others. Whoever put them does so again; pieces may come twice."""


class WorkQueue:
    def __init__(self, sqs: Callable[[], Any], name: str) -> None:
        self._sqs = sqs
        self._name = name

    def put(self, pieces: Iterable[Piece], at: datetime) -> None:
        sqs, messages = self._sqs(), [self._message(piece, at) for piece in pieces]
        url = sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        for start in range(0, len(messages), BATCH):
            entries = [
                {"Id": str(number), **message}
                for number, message in enumerate(messages[start : start + BATCH])
            ]
            answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
            if failed := answer.get("Failed"):
                raise NotQueued(f"{len(failed)} of {len(entries)}")

    def _message(self, piece: Piece, at: datetime) -> dict[str, Any]:
        delay = max(0, round((piece.due - at).total_seconds()))
        return {
            "MessageBody": msgspec.json.encode(piece).decode(),
            "DelaySeconds": min(delay, LONGEST_DELAY_SECONDS),
        }
