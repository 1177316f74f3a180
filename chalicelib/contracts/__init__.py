"""Plans, contracts, drivers and the cars they are given, from the signature to the last key back.

Owns the table `<stage>-contracts`. Publishes every step of a contract's life; hears of payments, proven
access, handovers, returns, settled ledgers and lost keys. The only home of a customer's personal data; other
contexts ask for the piece they need and keep none of it.
"""
