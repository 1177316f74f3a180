"""Runs the AWS emulator (ministack 1.5.33), in its own virtual environment, put right in eight places.

- `BIND_HOST` covers its HTTP port only; the MQTT listener asks asyncio for 0.0.0.0. Here every server it
  opens listens on 127.0.0.1.
- It invokes the Lambda behind an EventBridge or IoT rule at once, in a new process when the others are busy,
  and forgets a failure. AWS queues such events, tries three times, then fills the dead letter queue. So do
  we, a few at a time: a batch of a hundred facts would start a hundred processes.
- It speaks plain HTTP, which a bucket's policy refuses. What never leaves this machine counts as encrypted.
- It logs the beginning of every text and the number it goes to, and a link's code stands there. Here neither.
- It adds a subscription that a client repeats; MQTT and AWS replace it. A car that comes back to its session
  would hear every command once more with each connection.
- After a run that logs nothing it waits 50 ms for a line that may yet come. Here 10.
- Its MQTT listener pauses reading until TLS begins, which asyncio forgets in Python 3.11.2 (Debian 12's,
  not in 3.11.7): the first bytes of a handshake were lost. Here a paused transport stays paused.
- It unpacks the Lambda zip anew for every process. Here all share one copy, as read-only as `/var/task` is.
"""

import asyncio
import contextvars
import hashlib
import json
import logging
import os
import tempfile
import threading
import types
import zipfile
from asyncio import selector_events
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
AT_ONCE = max(4, 2 * (os.cpu_count() or 1))

_create_server = asyncio.BaseEventLoop.create_server
_add_reader: Any = selector_events._SelectorTransport._add_reader  # type: ignore[attr-defined]
_in_turn = contextvars.ContextVar("in_turn", default=False)
_unpacking = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)


def _unless_paused(transport: Any, *reader: Any) -> None:
    if not getattr(transport, "_paused", False):
        _add_reader(transport, *reader)


async def _on_loopback(loop: Any, protocol: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
    if options.get("sock") is None:
        host = LOOPBACK
    return await _create_server(loop, protocol, host, port, **options)


def _queue_what_rules_invoke(lambda_svc: Any, eventbridge: Any, iot: Any) -> None:
    execute = lambda_svc._execute_function

    def execute_in_turn(function: Any, event: Any) -> Any:
        if not _in_turn.get():
            return execute(function, event)
        with _places:
            return execute(function, event)

    def enqueue(function: Any, config: Any, event: Any) -> None:
        context = contextvars.copy_context()
        context.run(_in_turn.set, True)
        record = lambda_svc._execution_record_for_config(function, config)
        context.run(lambda_svc.invoke_async_with_retry, record, event)

    def from_bus(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        enqueue(function, config, json.loads(payload))

    def from_iot(account_id: str, region: str, arn: str, event: Any) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
            arn, account_id=account_id, region=region
        )
        enqueue(function, config, event)

    lambda_svc._execute_function = execute_in_turn
    eventbridge._dispatch_to_lambda = from_bus
    iot._dispatch_rule_to_lambda = from_iot


def _without_texts(record: logging.LogRecord) -> bool:
    """For the logger `sns`: that a text was taken, and nothing of whom it reaches or what it says."""
    if str(record.msg).startswith("SNS SMS"):
        record.msg, record.args = "SNS SMS taken", ()
    return True


def _replace_what_is_subscribed_again(iot: Any) -> None:
    """MQTT 5.0, 3.8.4: a subscription with an identical filter replaces the one before."""
    subscribe = iot.broker_subscribe

    async def replacing(account: str, region: str, topic: str, deliver: Any, *rest: Any, **more: Any) -> Any:
        session: Any = getattr(deliver, "__self__", None)
        for known, its_topic in list(getattr(session, "_sub_filters", {}).items()):
            if its_topic == topic:
                await iot.broker_unsubscribe(known)
                del session._sub_filters[known]
                session._sub_ids.remove(known)
        return await subscribe(account, region, topic, deliver, *rest, **more)

    iot.broker_subscribe = replacing


class _SharedZip(zipfile.ZipFile):
    """`extractall` leaves a link to the one copy of this content."""

    def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:
        content = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        copy = Path(tempfile.gettempdir()) / f"code-{content}"
        with _unpacking:
            if not copy.exists():
                fresh = tempfile.mkdtemp()
                super().extractall(fresh)
                Path(fresh).rename(copy)
        Path(path).rmdir()
        Path(path).symlink_to(copy)


if __name__ == "__main__":
    asyncio.BaseEventLoop.create_server = _on_loopback  # type: ignore[assignment]
    selector_events._SelectorTransport._add_reader = _unless_paused  # type: ignore[attr-defined]
    from ministack import app
    from ministack.core import lambda_runtime
    from ministack.services import eventbridge, iot, lambda_svc

    logging.getLogger("sns").addFilter(_without_texts)
    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": _SharedZip})
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.010, 0.005, 0.250)
    _queue_what_rules_invoke(lambda_svc, eventbridge, iot)
    _replace_what_is_subscribed_again(iot)
    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _: pin(source_ip, True)
    app.main()
