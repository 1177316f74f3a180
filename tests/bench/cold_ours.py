"""The API function's cold start: import, and the first request, which reads a contract and its key.

`python -m tests.bench.cold_ours <folder>`
"""

import sys
from pathlib import Path

from tests.bench.record import load
from tests.bench.warm import ours, wire

case = load(Path(sys.argv[1]), "contract")
wire(case)
assert ours(case)(case.event, None)["statusCode"] == 200
