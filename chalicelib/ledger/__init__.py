"""The books: every movement of money as an entry that is never changed; reconciliation, repairs, settlement.

Owns the table `<stage>-ledger`. Carries the facts that others post with their entries, and publishes
ReconciliationRequested and ReconciliationFailed; hears CheckoutReserved, CampaignCreated and
ReconciliationRequested.
"""
