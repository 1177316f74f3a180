"""Papers of a contract: the copy of what was signed, and the registration certificate of its car.

Owns the table `<stage>-documents` and the private bucket beside it. Hears ContractPaid. Publishes nothing.
"""
