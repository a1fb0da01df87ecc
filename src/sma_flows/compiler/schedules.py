"""Opening hours as sets of minutes of the week: which periods can ever be taken."""

from __future__ import annotations

from sma_flows.flow.model import ScheduleModel
from sma_flows.flow.values import Range

__all__ = ["covers_week", "hidden_periods"]

_DAY = 24 * 60
_WEEK = 7 * _DAY


def weekly(range_: Range) -> set[int]:
    """The minutes of an ordinary week in a range; a date is in no ordinary week."""
    if range_.date is not None:
        return set()
    days = range(7) if range_.days is None else range_.days
    return {day * _DAY + minute for day in days for minute in range(range_.start, range_.end)}


def covers_week(schedule: ScheduleModel) -> bool:
    """Whether some period matches at every minute of every week, so that nothing is left for `closed`."""
    open_: set[int] = set()
    for ranges in schedule.periods.values():
        for range_ in ranges:
            open_ |= weekly(range_)
    return len(open_) == _WEEK


def hidden_periods(schedule: ScheduleModel) -> list[str]:
    """Periods that earlier ones cover completely, so that they are never taken."""
    taken: set[int] = set()
    dates: dict[str, set[int]] = {}
    hidden = []
    for name, ranges in schedule.periods.items():
        minutes = set[int]().union(*(weekly(range_) for range_ in ranges))
        fresh = bool(minutes - taken)
        for range_ in ranges:
            if range_.date is not None:
                of_day = set(range(range_.start, range_.end))
                fresh = fresh or (bool(of_day - dates.get(range_.date, set())) and len(taken) < _WEEK)
                dates.setdefault(range_.date, set()).update(of_day)
        if not fresh:
            hidden.append(name)
        taken |= minutes
    return hidden
