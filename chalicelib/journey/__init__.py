"""A contract's timeline: every fact of the bus that names it, and what of each its customer may see.

Owns the table `<stage>-journey` and the queue `<stage>-journey-facts` before it. Hears every fact whose data
carry a `contract_id`. Publishes nothing.
"""
