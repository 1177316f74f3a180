"""handover's Lambda application: every context's routes and background functions, registered."""

from chalice.app import Chalice

from chalicelib.handlers import contracts, doors, notices, pages, smartkeys

app = Chalice(app_name="handover", configure_logs=False)
app.register_blueprint(contracts.routes)
app.register_blueprint(doors.routes)
app.register_blueprint(pages.routes)
app.register_blueprint(notices.routes)
app.register_blueprint(smartkeys.routes)
