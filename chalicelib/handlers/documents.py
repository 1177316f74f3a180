"""A contract's documents, the certificates of cars, and the payment that makes a copy."""

from typing import Any

from chalicelib import wiring
from chalicelib.documents.schemas import ContractPaid, DocumentsView, LinkView, RegistrationView
from chalicelib.kernel.auth import Group
from chalicelib.kernel.entry import background
from chalicelib.kernel.facts import fact_of
from chalicelib.kernel.http import REPLAYED, SIGNED_IN, Answer, Call, Routes

routes = Routes(__name__)


@routes.get("/v1/contracts/{contract_id}/documents", who=SIGNED_IN)
def documents(contract_id: str, call: Call) -> DocumentsView:
    """Which documents of a contract its customer can have now."""
    return DocumentsView.of(wiring.documents().listed(contract_id, by=call.caller))


@routes.post("/v1/contracts/{contract_id}/documents/{kind}/link", status=201, who=SIGNED_IN)
def document_link(contract_id: str, kind: str, call: Call) -> LinkView:
    """A link to one document, good for five minutes; every link is logged."""
    return LinkView.of(wiring.documents().link(contract_id, kind, call.caller, call.ip, call.agent))


@routes.post("/v1/ops/cars/{car_id}/registration", status=201, who=Group.OPS)
def register_certificate(car_id: str, call: Call) -> RegistrationView | Answer:
    """Keep a car's registration certificate, a PDF, PNG or JPEG file; the same again changes nothing."""
    done = wiring.documents().keep_registration(car_id, call.raw)
    return Answer(RegistrationView.of(done.value), REPLAYED if done.replayed else {})


@routes.lambda_function(name="documents_copy")
@background
def documents_copy(event: dict[str, Any], _: Any) -> str:
    """A contract is paid: its copy is kept."""
    return wiring.documents().keep_copy(fact_of(event).data_as(ContractPaid).contract_id).sha256
