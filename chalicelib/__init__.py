"""handover: cars by the month, their keys and coupons.

Floors: handlers -> wiring -> neighbours -> contexts -> kernel.
"""
