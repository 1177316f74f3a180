"""What this context answers over HTTP, and the fact it hears."""

from datetime import datetime

from msgspec import Struct

from chalicelib.documents.model import Document, Kind, Link


class AvailableView(Struct, frozen=True):
    kind: Kind
    available: bool


class DocumentsView(Struct, frozen=True):
    documents: list[AvailableView]

    @classmethod
    def of(cls, listed: dict[Kind, bool]) -> "DocumentsView":
        return cls([AvailableView(kind, available) for kind, available in listed.items()])


class LinkView(Struct, frozen=True):
    """`url` opens the document for whoever has it, until it expires."""

    url: str
    expires_at: datetime

    @classmethod
    def of(cls, link: Link) -> "LinkView":
        return cls(link.url, link.expires_at)


class RegistrationView(Struct, frozen=True):
    car_id: str
    content_type: str
    size: int
    sha256: str
    kept_at: datetime

    @classmethod
    def of(cls, document: Document) -> "RegistrationView":
        return cls(document.owner, document.content_type, document.size, document.sha256, document.kept_at)


class ContractPaid(Struct, frozen=True):
    """Heard from contracts; everything else is asked for."""

    contract_id: str
