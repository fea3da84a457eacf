"""ctime(3): a moment as a line, ``Mon Feb 14 10:00:00 2000``, in UTC. Left out: time zones, locales."""

from __future__ import annotations

from typing import Final

_WEEKDAYS: Final = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _days(year: int) -> int:
    """Days of January 1 of ``year`` since 1970-01-01 (Gregorian calendar)."""
    before = year - 1
    return 365 * (year - 1970) + before // 4 - before // 100 + before // 400 - 477


def ctime(wall: int) -> str:
    """``wall``, in ns since 1970, as text of 24 characters."""
    day, second = divmod(wall // 1_000_000_000, 86400)
    year = 1970 + day // 366
    while _days(year + 1) <= day:
        year += 1
    left = day - _days(year)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    month = 0
    for length in (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30):
        if left < length:
            break
        left -= length
        month += 1
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{_WEEKDAYS[day % 7]} {_MONTHS[month]} {left + 1:2d} {clock} {year}"
