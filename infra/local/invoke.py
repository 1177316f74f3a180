"""One Lambda with one sample event, on the local stack: `python -m infra.local.invoke events/...json`.

The folder says where the event comes from: `http` goes to the API's function, `facts` over the bus to whoever
reacts, and in every other folder the file is named after its function.
"""

import json
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.place import STAGE, client


def function_of(event: Path) -> str:
    return "api" if event.parent.name == "http" else event.stem.split("-")[0]


def invoke(event: Path) -> dict[str, Any]:
    """What the function answered, or the bus."""
    text = event.read_text()
    if event.parent.name == "facts":
        fact = json.loads(text)
        entry = {
            "Source": fact["source"],
            "DetailType": fact["type"],
            "Detail": text,
            "EventBusName": f"{STAGE}-facts",
        }
        return dict(client("events").put_events(Entries=[entry])["Entries"][0])
    answer = client("lambda").invoke(FunctionName=f"{STAGE}-{function_of(event)}", Payload=text)
    return {"answer": json.loads(answer["Payload"].read() or "null"), "failed": "FunctionError" in answer}


def main() -> int:
    event = Path(sys.argv[1])
    if not event.is_file():
        print(
            "handover: say which event: make invoke EVENT=events/http/contracts-1-health.json",
            file=sys.stderr,
        )
        return 1
    try:
        said = invoke(event)
    except (BotoCoreError, ClientError) as problem:
        print(f"handover: {problem} (is the local stack up?)", file=sys.stderr)
        return 1
    print(json.dumps(said, indent=2, ensure_ascii=False))
    return int(bool(said.get("failed")))


if __name__ == "__main__":
    sys.exit(main())
