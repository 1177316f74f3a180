"""What each contract owes and is owed: months, gaps nobody pays for, dunning, cards, refunds, settlement.

Owns the table `<stage>-billing`. Hears contracts and appointments. Publishes BillingStarted,
BillingStartLate, ChargePaid, ChargeFailed, BillingBlocked, RefundPaid, TransferDue, PaymentMethodChanged,
GapOpened, GapClosed and ContractSettled. The only home of card tokens once a contract is paid.
"""
