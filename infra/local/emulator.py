"""Runs the AWS emulator, in its own virtual environment, with every server it opens bound to 127.0.0.1.

`BIND_HOST` covers its HTTP port only; the MQTT listener asks asyncio for 0.0.0.0 whatever one says.
"""

import asyncio
from typing import Any

LOOPBACK = "127.0.0.1"
_create_server = asyncio.BaseEventLoop.create_server


async def _on_loopback(loop: Any, protocol: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
    if options.get("sock") is None:
        host = LOOPBACK
    return await _create_server(loop, protocol, host, port, **options)


if __name__ == "__main__":
    asyncio.BaseEventLoop.create_server = _on_loopback  # type: ignore[assignment]
    from ministack.app import main

    main()
