"""What each context knows of the others, in its own words: the adapters behind its ports.

`wiring` hands each the builders of the services it may ask. None is built, and none of whoever answers is
imported, before it is asked: most requests need one or two.
"""
