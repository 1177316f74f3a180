"""Money is a whole number of won; there is no fraction to lose."""

Won = int


def percent_of(amount: Won, percent: int) -> Won:
    """Rounded down, so that a discount never exceeds its percentage."""
    return amount * percent // 100
