"""Memorable contracts, papers and people for the tests of this context."""

from datetime import timedelta

from msgspec.structs import replace

from chalicelib.documents.model import NamedDriver, Signed
from chalicelib.kernel.auth import Caller, Group
from chalicelib.kernel.errors import NotFound
from tests.conftest import NOON

KIM = Caller("kim")
LEE = Caller("lee")
OLGA = Caller("olga", frozenset({Group.OPS}))

PDF = b"%PDF-1.7\n1 0 obj\n"
NEW_PDF = b"%PDF-1.7\n2 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"

KIMS = Signed(
    contract_id="con_kim",
    plan_ko="첫 차",
    plan_en="First car",
    months=6,
    monthly_fee=690_000,
    signed_at=NOON,
    handover_at=NOON + timedelta(days=14),
    address="서울특별시 중구 세종대로 110, 3층",
    drivers=(NamedDriver("김민지", "11-**-******-01"),),
    free_until_hours=24,
    late_percent=10,
    early_end_percent=10,
)


class Contracts:
    """con_kim is kim's and has car-kim, con_lee is lee's and has car-lee; there is nothing else."""

    def __init__(self) -> None:
        self.signed = KIMS
        self.cars: dict[str, str | None] = {"con_kim": "car-kim", "con_lee": "car-lee"}

    def owned(self, contract_id: str, customer_id: str) -> None:
        if contract_id != f"con_{customer_id}" or contract_id not in self.cars:
            raise NotFound()

    def copy(self, contract_id: str) -> Signed:
        return replace(self.signed, contract_id=contract_id)

    def car_of(self, contract_id: str) -> str | None:
        return self.cars[contract_id]

    def car_exists(self, car_id: str) -> None:
        if car_id not in ("car-kim", "car-lee"):
            raise NotFound()
