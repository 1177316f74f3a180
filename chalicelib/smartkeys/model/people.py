"""Who may hold a smart key, and who may ask for one."""

from datetime import date
from enum import StrEnum

from msgspec import Struct

CUSTOMER = "customer"


class Kind(StrEnum):
    """Of a holder: "customer", a driver's number, "person:..." or "staff:<sub>"."""

    CUSTOMER = "customer"
    DRIVER = "driver"
    PERSON = "person"
    STAFF = "staff"


def kind_of(holder: str) -> Kind:
    word, colon, _ = holder.partition(":")
    return Kind(word) if colon or holder == CUSTOMER else Kind.DRIVER


def staff(sub: str) -> str:
    return f"{Kind.STAFF}:{sub}"


class Person(Struct, frozen=True):
    """Somebody operations named. `birth_date` or `licence_last4` is what they prove themselves by."""

    name: str
    phone: str
    language: str
    birth_date: date | None = None
    licence_last4: str | None = None

    def __repr__(self) -> str:
        return "Person(...)"


class Asker(Struct, frozen=True):
    """As whom somebody signed in asks about a contract's smart keys: its customer, or one of its drivers."""

    id: str
    holder: str

    def sees(self, holder: str) -> bool:
        return holder == self.holder or (
            self.holder == CUSTOMER and kind_of(holder) in (Kind.DRIVER, Kind.PERSON)
        )
