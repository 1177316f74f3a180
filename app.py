"""handover's Lambda application: every context's routes and background functions, registered."""

from chalice.app import Chalice

from chalicelib.handlers import checkout, contracts, coupons, doors, keys, notices, pages, smartkeys
from chalicelib.kernel.http import refuse_methods

app = Chalice(app_name="handover", configure_logs=False)
app.register_middleware(refuse_methods, "http")
for module in (checkout, contracts, coupons, doors, keys, notices, pages, smartkeys):
    app.register_blueprint(module.routes)
