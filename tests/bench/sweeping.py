"""A sweep beside many shipments that are long home, on the strict DynamoDB."""

from datetime import datetime, timedelta

from moto import mock_aws

from chalicelib.kernel import aws
from chalicelib.kernel.auth import Caller
from chalicelib.keys.gateway import SignedCarriers
from chalicelib.keys.model import Receipt, Tracking
from chalicelib.keys.service import KeyService, SweepReport
from chalicelib.keys.store import KeyStore
from tests.conftest import Hands, table_definitions
from tests.keys.examples import COURIER, PACKER, Contracts, handoff, label_of, pack, secret
from tests.strict import strict


def swept(closed: int, due: int, now: datetime) -> SweepReport:
    """What one sweep reads when `due` parcels have been silent for a day and `closed` keys were received."""
    with mock_aws(), strict():
        aws.client.cache_clear()
        for table in table_definitions():
            aws.client("dynamodb").create_table(**table)
        clock = Hands(now - timedelta(days=1, hours=1))
        service = KeyService(KeyStore(), Contracts(), SignedCarriers(secret), clock)
        for number in range(closed + due):
            name = f"c{number}"
            service.plan(f"con_{name}")
            if number < closed:
                service.receipt(f"con_{name}", Receipt(f"tag-{name}"), Caller(name), "k1")
            else:
                parcel = Tracking.of("easypost", name)
                service.scan(pack(clock(), f"tag-{name}", label_of(name), parcel), PACKER)
                service.scan(handoff(clock(), f"tag-{name}"), COURIER)
        clock.at = now
        return service.sweep()
