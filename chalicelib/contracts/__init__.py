"""Plans, contracts, drivers and the cars they are given.

Owns the table `<stage>-contracts`. Publishes ContractSigned and ContractAssigned. The only home of a
customer's personal data; other contexts ask for the piece they need and keep none of it.
"""
