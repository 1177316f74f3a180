"""Keeping documents, and giving links to those who may read them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from chalicelib.documents.model import (
    HTML,
    LINK_LIFE,
    Access,
    AlreadyKept,
    Document,
    Kind,
    Link,
    NoDocument,
    Signed,
    contract_copy,
    kind_of,
    paper_type,
)
from chalicelib.kernel.auth import Caller
from chalicelib.kernel.clock import Clock
from chalicelib.kernel.done import Done


class Store(Protocol):
    def find(self, kind: Kind, owner: str) -> Document | None:
        """The one that counts now, strongly consistent."""

    def keep_first(self, document: Document) -> None:
        """AlreadyKept when its owner has one of its kind."""

    def keep(self, document: Document) -> None:
        """From now on this is the one."""

    def log(self, access: Access) -> None: ...


class Files(Protocol):
    def put(self, document: Document, body: bytes) -> None:
        """The same document twice is harmless."""

    def link(self, document: Document, life: timedelta) -> str:
        """Opens this file and no other, for whoever holds it, until its life is over."""


class Contracts(Protocol):
    def owned(self, contract_id: str, customer_id: str) -> None:
        """NotFound when it is another customer's."""

    def copy(self, contract_id: str) -> Signed: ...

    def car_of(self, contract_id: str) -> str | None:
        """The car it has now."""

    def car_exists(self, car_id: str) -> None:
        """NotFound."""


class DocumentService(Struct, frozen=True):
    store: Store
    files: Files
    contracts: Contracts
    now: Clock
    new_id: Callable[[str], str]

    def keep_copy(self, contract_id: str) -> Document:
        """Once for each contract, from what is signed at that moment."""
        known = self.store.find(Kind.CONTRACT_COPY, contract_id)
        if known:
            return known
        body = contract_copy(self.contracts.copy(contract_id))
        document = Document.of(Kind.CONTRACT_COPY, contract_id, body, HTML, self.now())
        self.files.put(document, body)
        with suppress(AlreadyKept):
            self.store.keep_first(document)
            return document
        return self._found(Kind.CONTRACT_COPY, contract_id)

    def keep_registration(self, car_id: str, body: bytes) -> Done[Document]:
        """A new file takes the place of the one before; the same again changes nothing."""
        content_type = paper_type(body)
        self.contracts.car_exists(car_id)
        document = Document.of(Kind.REGISTRATION_CERTIFICATE, car_id, body, content_type, self.now())
        known = self.store.find(Kind.REGISTRATION_CERTIFICATE, car_id)
        if known and known.sha256 == document.sha256:
            return Done(known, replayed=True)
        self.files.put(document, body)
        self.store.keep(document)
        return Done(document)

    def listed(self, contract_id: str, by: Caller) -> dict[Kind, bool]:
        """Which documents the customer of this contract can have now."""
        self.contracts.owned(contract_id, by.id)
        return {kind: self._of_contract(kind, contract_id) is not None for kind in Kind}

    def link(self, contract_id: str, kind: str, by: Caller, ip: str, agent: str) -> Link:
        """Logged before it is given: a link nobody knows of does not exist."""
        self.contracts.owned(contract_id, by.id)
        document = self._of_contract(kind_of(kind), contract_id)
        if document is None:
            raise NoDocument()
        at = self.now()
        self.store.log(self._access(document, contract_id, by, at, ip, agent))
        return Link(self.files.link(document, LINK_LIFE), at + LINK_LIFE)

    def _of_contract(self, kind: Kind, contract_id: str) -> Document | None:
        """A certificate is the contract's while it has that car."""
        owner = contract_id if kind == Kind.CONTRACT_COPY else self.contracts.car_of(contract_id)
        return self.store.find(kind, owner) if owner else None

    def _found(self, kind: Kind, owner: str) -> Document:
        document = self.store.find(kind, owner)
        if document is None:
            raise NoDocument()
        return document

    def _access(
        self, document: Document, contract_id: str, by: Caller, at: datetime, ip: str, agent: str
    ) -> Access:
        return Access(
            access_id=self.new_id("acc"),
            contract_id=contract_id,
            kind=document.kind,
            sha256=document.sha256,
            customer_id=by.id,
            at=at,
            ip=ip,
            agent=agent,
        )
