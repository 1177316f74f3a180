"""Documents: their kinds, who may have a link to them, and what a contract's copy says."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from html import escape

from msgspec import Struct

from chalicelib.kernel.calendar import KST
from chalicelib.kernel.errors import Conflict, Malformed, NotFound, TooLarge, Unsupported
from chalicelib.kernel.money import Won

LINK_LIFE = timedelta(minutes=5)
MOST_BYTES = 200_000
HTML = "text/html; charset=utf-8"
SIGNATURES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
ENDINGS = {HTML: "html", "application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


class Kind(StrEnum):
    """A contract copy belongs to its contract, a registration certificate to its car."""

    CONTRACT_COPY = "contract_copy"
    REGISTRATION_CERTIFICATE = "registration_certificate"


class NoDocument(NotFound):
    """There is no such document."""


class UnknownPaper(Unsupported):
    """Only PDF, PNG and JPEG files are kept."""


class PaperTooLarge(TooLarge):
    """A certificate has at most 200,000 bytes."""


class EmptyPaper(Malformed):
    """The file is empty."""


class AlreadyKept(Conflict):
    """This document was kept before."""


class Document(Struct, frozen=True):
    """`owner`: the contract or the car it belongs to. `sha256`: of the stored bytes, in hex."""

    kind: Kind
    owner: str
    sha256: str
    size: int
    content_type: str
    kept_at: datetime

    @classmethod
    def of(cls, kind: Kind, owner: str, body: bytes, content_type: str, at: datetime) -> "Document":
        return cls(kind, owner, hashlib.sha256(body).hexdigest(), len(body), content_type, at)

    @property
    def key(self) -> str:
        """Where it lies. Named by its content: what is there is never written over by something else."""
        return f"{self.kind}/{self.owner}/{self.sha256}.{ENDINGS[self.content_type]}"

    @property
    def file_name(self) -> str:
        return f"{self.kind}.{ENDINGS[self.content_type]}"


class Access(Struct, frozen=True):
    """One link that was given away: who got it, when, to what, and from where they asked."""

    access_id: str
    contract_id: str
    kind: Kind
    sha256: str
    customer_id: str
    at: datetime
    ip: str
    agent: str


class Link(Struct, frozen=True):
    url: str
    expires_at: datetime


class NamedDriver(Struct, frozen=True):
    """`licence`: masked."""

    name: str
    licence: str


class Signed(Struct, frozen=True):
    """What was signed. Who cancels within `free_until_hours` of the handover leaves `late_percent` of the
    planned fee; who ends the term early owes `early_end_percent` of the remaining fee."""

    contract_id: str
    plan_ko: str
    plan_en: str
    months: int
    monthly_fee: Won
    signed_at: datetime
    handover_at: datetime
    address: str
    drivers: tuple[NamedDriver, ...]
    free_until_hours: int
    late_percent: int
    early_end_percent: int


def kind_of(name: str) -> Kind:
    if name not in set(Kind):
        raise NoDocument()
    return Kind(name)


def paper_type(body: bytes) -> str:
    """The media type, by the file's first bytes: what a sender says of it proves nothing."""
    if not body:
        raise EmptyPaper(fields=(("/", "a PDF, PNG or JPEG file"),))
    if len(body) > MOST_BYTES:
        raise PaperTooLarge()
    found = next((kind for start, kind in SIGNATURES.items() if body.startswith(start)), None)
    if found is None:
        raise UnknownPaper()
    return found


def contract_copy(signed: Signed) -> bytes:
    """One HTML page in Korean and English: no script, nothing loaded from elsewhere, fit for printing."""
    return PAGE.format(rows="\n".join(map(_row, _particulars(signed))), **_terms(signed)).encode()


def _particulars(signed: Signed) -> Iterator[tuple[str, str, str]]:
    """Korean name, English name, value."""
    yield "계약 번호", "Contract", signed.contract_id
    yield "서명 일시", "Signed", _moment(signed.signed_at)
    yield "요금제", "Plan", f"{signed.plan_ko} / {signed.plan_en}"
    yield "기간", "Term", f"{signed.months}개월 / {signed.months} months"
    yield "월 요금", "Monthly fee", _won(signed.monthly_fee)
    yield "총 요금", "Total", _won(signed.monthly_fee * signed.months)
    yield "인도 일시", "Handover", _moment(signed.handover_at)
    yield "인도 장소", "Handover place", signed.address
    for number, driver in enumerate(signed.drivers, start=1):
        yield f"운전자 {number}", f"Driver {number}", f"{driver.name} ({driver.licence})"


def _row(particular: tuple[str, str, str]) -> str:
    ko, en, value = map(escape, particular)
    return f'<tr><th scope="row">{ko}<span lang="en">{en}</span></th><td>{value}</td></tr>'


def _terms(signed: Signed) -> dict[str, int]:
    return {
        "hours": signed.free_until_hours,
        "late": signed.late_percent,
        "early": signed.early_end_percent,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(KST).strftime("%Y-%m-%d %H:%M (KST)")


def _won(amount: Won) -> str:
    return f"{amount:,}원 / KRW {amount:,}"


PAGE = """<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>계약서 사본 / Contract copy</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }}
body {{ color: #111; background: #fff }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border: 1px solid #767676; padding: .5rem .75rem; text-align: left; vertical-align: top }}
td {{ overflow-wrap: anywhere }}
th {{ width: 38%; font-weight: 600; background: #f4f4f4 }}
th span {{ display: block; font-weight: 400; color: #444 }}
@page {{ margin: 18mm }}
@media print {{ body {{ margin: 0; max-width: none }} tr, li {{ break-inside: avoid }} }}
</style>
</head>
<body>
<main>
<h1>계약서 사본<br><span lang="en">Contract copy</span></h1>
<table>
{rows}
</table>
<h2>취소와 중도 해지</h2>
<ul>
<li>인도 {hours}시간 전까지 취소하면 전액 환불합니다.</li>
<li>인도 {hours}시간 이내에 취소하면 예정 요금의 {late}%를 뺀 금액을 환불합니다.</li>
<li>이용 기간 중 해지하면 남은 요금의 {early}%를 청구합니다.</li>
<li>저희 사정으로 차를 이용할 수 없는 시간의 요금은 청구하지 않습니다.</li>
</ul>
<div lang="en">
<h2>Cancelling and ending early</h2>
<ul>
<li>Cancelled more than {hours} hours before the handover: refunded in full.</li>
<li>Cancelled within {hours} hours of it: refunded less {late}% of the planned fee.</li>
<li>Ended before the end of the term: {early}% of the remaining fee is charged.</li>
<li>Time in which you cannot use the car through our fault is not charged.</li>
</ul>
</div>
</main>
</body>
</html>
"""
