"""Shared by every context and knowing none of them."""
