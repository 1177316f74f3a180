"""Public car parks near a place, from the national standard data set.

Owns the table `<stage>-parking`, filled by `make parking` (infra/parking.py). Hears and publishes nothing.
"""
