"""Who drives, and how they are known: everything personal in a contract but the address and the card."""

import hashlib
import hmac
import re
import unicodedata
from datetime import date
from enum import StrEnum

from msgspec import Struct

MOST_DRIVERS = 5
DRIVING_AGE = 18
"""Road Traffic Act (도로교통법), article 82(1)1."""


class Driver(Struct, frozen=True):
    """`phone` in E.164; `licence_no` as `licence` wrote it."""

    name: str
    phone: str
    birth_date: date
    licence_no: str
    language: str = "ko"

    def age_on(self, day: date) -> int:
        birthday_ahead = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - birthday_ahead

    def proven_by(self, proof: str) -> bool:
        digits = re.sub(r"\D", "", self.licence_no)
        return proven(proof, self.birth_date, digits[-4:])


def proven(proof: str, birth_date: date | None, licence_last4: str | None) -> bool:
    """Birth date as eight or six digits, or the last four digits of the licence; separators do not count.

    Every candidate is compared, each in constant time, so that the time taken tells nothing.
    """
    given = re.sub(r"[\s./\-]", "", unicodedata.normalize("NFKC", proof)).encode()
    born = birth_date.isoformat().replace("-", "") if birth_date else ""
    accepted = [each for each in (born, born[2:], licence_last4) if each]
    matches = [hmac.compare_digest(given, each.encode()) for each in accepted]
    return any(matches)


class Check(StrEnum):
    """What the driver-qualification office said of a licence."""

    PENDING = "pending"
    VALID = "valid"
    REFUSED = "refused"


class Verdict(Struct, frozen=True):
    """`reason` is one word when not ok: no_licence, suspended, expired, wrong_class or refused."""

    ok: bool
    reason: str = ""


class Named(Struct, frozen=True):
    """A driver of one contract. `number`: from 1 in the order they were named, and never given again."""

    number: int
    driver: Driver
    check: Check = Check.PENDING


class Party(Struct, frozen=True):
    """Whom a text is for."""

    name: str
    phone: str
    language: str


def phone_number(text: str) -> str:
    """E.164 from E.164 or a Korean form; ValueError otherwise.

    A Korean number must be a mobile, 010 and eight digits: nobody can be texted a link on any other.
    """
    digits = re.sub(r"[\s.()\-]", "", unicodedata.normalize("NFKC", text))
    national = "0" + digits[3:] if digits.startswith("+82") else digits
    if re.fullmatch(r"010[0-9]{8}", national):
        return "+82" + national[1:]
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) and not digits.startswith("+82"):
        return digits
    raise ValueError("not a mobile number: 010 and eight digits, or + and a country code")


def licence(text: str) -> str:
    """Letters and digits without separators; ValueError without four digits to prove oneself by."""
    number = re.sub(r"[\s./\-]", "", unicodedata.normalize("NFKC", text)).upper()
    if not (re.fullmatch(r"[0-9A-Z가-힣]{5,20}", number) and len(re.findall(r"[0-9]", number)) >= 4):
        raise ValueError("not a licence number")
    return number


def masked(licence_no: str) -> str:
    """The first two characters. The end stays hidden: its last four digits open a smart key."""
    return licence_no[:2] + "*" * (len(licence_no) - 2)


def label_hash(address: str) -> str:
    """Hex SHA-256 of the address, blind to case, spacing and Unicode form: two prints of one label agree."""
    folded = " ".join(unicodedata.normalize("NFKC", address).casefold().split())
    return hashlib.sha256(folded.encode()).hexdigest()
