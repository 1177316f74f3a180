"""What billing knows of contracts, and of the payments of the checkout."""

from typing import TYPE_CHECKING

from msgspec import Struct

from chalicelib.billing.model import Card, CardDeclined, Payment, PaymentState

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.checkout.service import CheckoutService, PaymentService
    from chalicelib.contracts.service import ContractService


class ContractsOfBilling(Struct, frozen=True):
    """Only the first payment and a customer's own requests ask contracts; sweeps never load them."""

    contracts: "Callable[[], ContractService]"

    def owned(self, contract_id: str, customer_id: str) -> None:
        self.contracts().owned(contract_id, customer_id)

    def card_token(self, contract_id: str) -> str | None:
        return self.contracts().card_token(contract_id)


class PaymentsOfBilling(Struct, frozen=True):
    """The checkout's gateway in billing's words."""

    checkout: "Callable[[], CheckoutService]"
    payments: "Callable[[], PaymentService]"

    def charge(self, payment_id: str, amount: int, card_token: str, what: str) -> "Payment":
        from chalicelib.checkout.model import PaymentState as Taken

        found = self.payments().charge(payment_id, amount, card_token, what)
        known = {Taken.PAID: PaymentState.PAID, Taken.DECLINED: PaymentState.DECLINED}
        return Payment(known.get(found.state, PaymentState.UNKNOWN), found.reason or "")

    def refund(self, payment_id: str, refund_id: str, amount: int) -> "Payment":
        """Of what a checkout was paid with, coupon and points go back with the card's money."""
        from chalicelib.checkout.model import NotRefundable, RefundState, TooManyRefunds

        try:
            found = self.checkout().refund_card(payment_id, refund_id, amount)
        except (NotRefundable, TooManyRefunds) as problem:
            return Payment(PaymentState.DECLINED, str(problem))
        known = {RefundState.DONE: PaymentState.PAID, RefundState.REFUSED: PaymentState.DECLINED}
        return Payment(known.get(found.state, PaymentState.UNKNOWN), amount=found.amount)

    def verify(self, card_token: str) -> "Card":
        from chalicelib.checkout.model import CardDeclined as Declined

        try:
            found = self.payments().verify(card_token)
        except Declined as problem:
            raise CardDeclined(str(problem)) from problem
        return Card(card_token, found.brand, found.last4)
