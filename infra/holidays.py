"""Writes `chalicelib/kernel/holidays.py`: `python -m infra.holidays`, after raising the library's version.

The Lambdas carry dates and not the library, which knows every country and costs a cold start.
"""

from importlib.metadata import version

import holidays

from infra.package import ROOT

FIRST_YEAR, LAST_YEAR = 2025, 2035
FILE = ROOT / "chalicelib" / "kernel" / "holidays.py"
SATURDAY = 5
PER_LINE = 9

HEAD = '''"""South Korea's public holidays on weekdays, {first} to {last}: written by `infra/holidays.py`.

Source: the Python library holidays {version}. Confirm a new year's days with the official gazette.
"""

from datetime import date

_DAYS = """
{days}
"""
PUBLIC_HOLIDAYS = frozenset(map(date.fromisoformat, _DAYS.split()))
'''


def written() -> str:
    known = holidays.country_holidays("KR", years=range(FIRST_YEAR, LAST_YEAR + 1))
    days = [day.isoformat() for day in sorted(known) if day.weekday() < SATURDAY]
    lines = [" ".join(days[start : start + PER_LINE]) for start in range(0, len(days), PER_LINE)]
    return HEAD.format(first=FIRST_YEAR, last=LAST_YEAR, version=version("holidays"), days="\n".join(lines))


if __name__ == "__main__":
    FILE.write_text(written())
