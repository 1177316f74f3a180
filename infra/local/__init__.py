"""The local stack: the same templates that AWS gets, on one machine."""
