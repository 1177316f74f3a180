"""Writes `chalicelib/rooms.py`, which context has which path: `python -m infra.rooms`, after a new route."""

import os

os.environ.setdefault("STAGE", "docs")
os.environ.setdefault("AWS_DEFAULT_REGION", "ap-northeast-2")

from chalicelib.kernel.http import DECLARED
from infra.package import ROOT

FILE = ROOT / "chalicelib" / "rooms.py"
HEAD = '"""Which context has which path: written by `infra/rooms.py`."""\n\nROOMS = {\n'


def written() -> str:
    import app  # noqa: F401, PLC0415 - the handlers declare themselves when they are imported

    rooms = {declared.path: declared.module.rpartition(".")[2] for declared in DECLARED}
    return HEAD + "".join(f'    "{path}": "{room}",\n' for path, room in sorted(rooms.items())) + "}\n"


if __name__ == "__main__":
    FILE.write_text(written())
