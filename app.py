"""handover's Lambda application: every context's routes and background functions, registered."""

from chalice.app import Chalice

app = Chalice(app_name="handover", configure_logs=False)
