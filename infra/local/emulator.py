"""Runs the AWS emulator (ministack 1.5.33), in its own virtual environment, put right in four places.

- `BIND_HOST` covers its HTTP port only; the MQTT listener asks asyncio for 0.0.0.0. Here every server it
  opens listens on 127.0.0.1.
- It invokes the Lambda behind an EventBridge or IoT rule at once, in a new process when the others are busy,
  and forgets a failure. AWS queues such events, tries three times, then fills the dead letter queue. So do
  we, a few at a time: a batch of a hundred facts would start a hundred processes.
- It speaks plain HTTP, which a bucket's policy refuses. What never leaves this machine counts as encrypted.
- It unpacks the Lambda zip anew for every process. Here all share one copy, as read-only as `/var/task` is.
"""

import asyncio
import contextvars
import hashlib
import json
import os
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
AT_ONCE = max(4, 2 * (os.cpu_count() or 1))

_create_server = asyncio.BaseEventLoop.create_server
_in_turn = contextvars.ContextVar("in_turn", default=False)
_unpacking = threading.Lock()
_places = threading.BoundedSemaphore(AT_ONCE)


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
    from ministack import app
    from ministack.core import lambda_runtime
    from ministack.services import eventbridge, iot, lambda_svc

    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": _SharedZip})
    _queue_what_rules_invoke(lambda_svc, eventbridge, iot)
    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _: pin(source_ip, True)
    app.main()
