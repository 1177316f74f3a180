"""handover's Lambda application: every context's routes and background functions, registered.

In the API function itself a context waits until one of its paths is asked for.
"""

import os
from importlib import import_module

from chalicelib.kernel.http import App, refuse_methods
from chalicelib.rooms import ROOMS

HANDLERS = (
    "appointments",
    "billing",
    "campaigns",
    "checkout",
    "contracts",
    "coupons",
    "devices",
    "documents",
    "doors",
    "incidents",
    "journey",
    "keys",
    "ledger",
    "notices",
    "pages",
    "parking",
    "points",
    "smartkeys",
)

app = App("handover", ROOMS, lambda room: import_module(f"chalicelib.handlers.{room}").routes)
app.register_middleware(refuse_methods, "http")
if not os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "").endswith("-api"):
    for handler in HANDLERS:
        app.open(handler)
