"""What contracts knows of keys and billing."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.contracts.model import KeyStatus, Line, Money, MoneyRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Literal

    from chalicelib.billing.model import ContractFacts
    from chalicelib.billing.model import Money as Terms
    from chalicelib.billing.model import Term as AgreedTerm
    from chalicelib.billing.service import BillingService
    from chalicelib.contracts.model import Cause, MoneyFacts, Term
    from chalicelib.keys.service import KeyService


class KeysOfContracts(Struct, frozen=True):
    """keys is built when a contract is shown or closed, not before: most requests never need it."""

    keys: "Callable[[], KeyService]"

    def status(self, contract_id: str) -> "KeyStatus | None":
        found = self.keys().status(contract_id)
        return KeyStatus(found.shipment_id, found.key_tag, found.state, found.tracking) if found else None

    def outstanding(self, contract_id: str) -> "Sequence[str]":
        return self.keys().outstanding(contract_id)


class BillingOfContracts(Struct, frozen=True):
    """Prices are pure functions of billing's model; only a view asks how an account stands."""

    billing: "Callable[[], BillingService]"

    def standing(self, contract_id: str) -> str:
        return self.billing().standing(contract_id)

    def rules(self) -> "MoneyRules":
        from chalicelib.billing.model import EARLY_END_PERCENT, FREE_UNTIL, LATE_PERCENT

        return MoneyRules(int(FREE_UNTIL.total_seconds()) // 3600, LATE_PERCENT, EARLY_END_PERCENT)

    def cancel_terms(self, facts: "MoneyFacts", cause: "Cause", at: "datetime") -> "Money":
        from chalicelib.billing import model

        return self._money(model.cancel_terms(self._facts(facts), cause.value, at))

    def end_terms(self, facts: "MoneyFacts", why: "Literal['cancel', 'breach']", at: "datetime") -> "Money":
        from chalicelib.billing import model

        return self._money(model.end_terms(self._facts(facts), why, at))

    def renew_terms(self, facts: "MoneyFacts", added: "Term") -> "Money":
        from chalicelib.billing import model

        return self._money(model.renew_terms(self._facts(facts), self._term(added)))

    def _facts(self, facts: "MoneyFacts") -> "ContractFacts":
        from chalicelib.billing.model import ContractFacts

        terms = tuple(map(self._term, facts.terms))
        return ContractFacts(terms, facts.handover_at, facts.paid, facts.starts_at)

    def _term(self, term: "Term") -> "AgreedTerm":
        from chalicelib.billing.model import Term

        return Term(term.months, term.monthly_fee)

    def _money(self, found: "Terms") -> "Money":
        lines = tuple(Line(str(line.what), line.amount) for line in found.lines)
        return Money(found.effective_at, found.refund, found.charge, lines)
