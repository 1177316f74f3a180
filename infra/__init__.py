"""Templates, their rules, and the local stack."""
