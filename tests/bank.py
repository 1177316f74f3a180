"""The simulated payment gateway on loopback, for whoever pays through the whole application."""

import threading

from infra.local.bank import Bank
from infra.local.offices import Offices
from infra.local.partners import Partners

_SERVERS: list[Offices] = []


def opened() -> str:
    """Its address; opened once for a process."""
    if not _SERVERS:
        server = Offices(0, Bank())
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        _SERVERS.append(server)
    return f"http://127.0.0.1:{_SERVERS[0].server_port}"


def partners() -> Partners:
    """Partners of the test's own, at the same address."""
    _SERVERS[0].partners = Partners()
    return _SERVERS[0].partners


def fresh() -> Bank:
    """A bank of the test's own, and the secret key it is asked with."""
    from chalicelib.kernel import aws

    aws.client("secretsmanager").create_secret(Name="test/handover/payments-key", SecretString="test_sk_1")
    _SERVERS[0].bank = Bank()
    return _SERVERS[0].bank
