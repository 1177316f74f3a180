"""The table `<stage>-documents`; the bytes are in the bucket, under `Document.key`.

| pk                     | sk                       | row                                                 |
|------------------------|--------------------------|-----------------------------------------------------|
| CONTRACT#<contract_id> | contract_copy            | its copy: written once                              |
| CAR#<car_id>           | registration_certificate | the car's certificate: the latest                   |
| CONTRACT#<contract_id> | ACCESS#<time>#<id>       | a link given; goes by TTL after three months, as    |
|                        |                          | service logs do                                     |
"""

from datetime import timedelta

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.documents.model import Access, AlreadyKept, Document, Kind
from chalicelib.kernel.clock import moment, stamp
from chalicelib.kernel.tables import AllOrNothing, Item, table_name

ACCESS_KEPT = timedelta(days=92)
COPY_KEPT = timedelta(days=6 * 365 + 2)
"""Five years after the end of the longest term; the bucket deletes the file after as many days."""

OWNERS = {Kind.CONTRACT_COPY: "CONTRACT", Kind.REGISTRATION_CERTIFICATE: "CAR"}


class DocumentItem(Item):
    class Meta:
        table_name = table_name("documents")

    owner = UnicodeAttribute()
    sha256 = UnicodeAttribute()
    size = NumberAttribute()
    content_type = UnicodeAttribute()
    kept_at = UnicodeAttribute()
    ttl = NumberAttribute(null=True)


class AccessItem(Item):
    class Meta:
        table_name = table_name("documents")

    kind = UnicodeAttribute()
    sha256 = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    at = UnicodeAttribute()
    ip = UnicodeAttribute()
    agent = UnicodeAttribute()
    ttl = NumberAttribute()


class DocumentStore:
    def find(self, kind: Kind, owner: str) -> Document | None:
        item = DocumentItem.load(f"{OWNERS[kind]}#{owner}", kind)
        return _document(item) if item else None

    def keep_first(self, document: Document) -> None:
        write = AllOrNothing()
        write.put(_item(document), only_if=DocumentItem.pk.does_not_exist(), otherwise=AlreadyKept)
        write.commit()

    def keep(self, document: Document) -> None:
        write = AllOrNothing()
        write.put(_item(document))
        write.commit()

    def log(self, access: Access) -> None:
        write = AllOrNothing()
        write.put(
            AccessItem(
                f"CONTRACT#{access.contract_id}",
                f"ACCESS#{stamp(access.at)}#{access.access_id}",
                kind=access.kind,
                sha256=access.sha256,
                customer_id=access.customer_id,
                at=stamp(access.at),
                ip=access.ip,
                agent=access.agent,
                ttl=int((access.at + ACCESS_KEPT).timestamp()),
            )
        )
        write.commit()


def _item(document: Document) -> DocumentItem:
    return DocumentItem(
        f"{OWNERS[document.kind]}#{document.owner}",
        document.kind,
        owner=document.owner,
        sha256=document.sha256,
        size=document.size,
        content_type=document.content_type,
        kept_at=stamp(document.kept_at),
        ttl=int((document.kept_at + COPY_KEPT).timestamp()) if document.kind == Kind.CONTRACT_COPY else None,
    )


def _document(item: DocumentItem) -> Document:
    return Document(
        kind=Kind(item.sk),
        owner=item.owner,
        sha256=item.sha256,
        size=int(item.size),
        content_type=item.content_type,
        kept_at=moment(item.kept_at),
    )
