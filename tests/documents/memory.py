"""Documents in memory: the same promises as `chalicelib.documents.store` and its bucket."""

from datetime import timedelta

from chalicelib.documents.model import Access, AlreadyKept, Document, Kind


class MemoryDocuments:
    def __init__(self) -> None:
        self.documents: dict[tuple[Kind, str], Document] = {}
        self.accesses: list[Access] = []

    def find(self, kind: Kind, owner: str) -> Document | None:
        return self.documents.get((kind, owner))

    def keep_first(self, document: Document) -> None:
        if self.documents.setdefault((document.kind, document.owner), document) is not document:
            raise AlreadyKept()

    def keep(self, document: Document) -> None:
        self.documents[document.kind, document.owner] = document

    def log(self, access: Access) -> None:
        self.accesses.append(access)


class MemoryFiles:
    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, document: Document, body: bytes) -> None:
        self.bodies[document.key] = body

    def link(self, document: Document, life: timedelta) -> str:
        return f"https://files.example/{document.key}?for={life.total_seconds():.0f}"
