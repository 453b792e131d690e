"""Cron expressions as Kubeflow Pipelines reads them: six fields, seconds first, in UTC.

KFP parses them with version 1 of robfig/cron, which accepts five fields too, but reads them as
second, minute, hour, day and month, without the day of the week: `0 3 * * *`, which users write for
three in the morning, would run at three minutes past every hour. So five fields are converted here,
and what KFP does not support (7 for Sunday, L, W, #, years) is converted or refused. croniter
computes when a schedule fires next, from numbers and with robfig's rule for the two day fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from croniter import CroniterBadDateError, croniter

from nasoa.errors import CronError
from nasoa.whole_number import whole_number

EXAMPLE = "like '0 3 * * *' for every day at 3:00"
_NICKNAMES = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_DAYS = {name: i for i, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_ITEM = re.compile(r"(?P<start>\*|\?|\w+)(?:-(?P<end>\w+))?(?:/(?P<step>\d+))?", re.ASCII)
_SEARCHED_YEARS = 41  # a 29 February of a given day of the week is at most 40 years away


@dataclass(frozen=True, kw_only=True)
class Field:
    """The values that one field of a cron expression can have."""

    name: str
    low: int
    high: int
    names: dict[str, int] | None = None


FIELDS = (
    Field(name="second", low=0, high=59),
    Field(name="minute", low=0, high=59),
    Field(name="hour", low=0, high=23),
    Field(name="day of the month", low=1, high=31),
    Field(name="month", low=1, high=12, names=_MONTHS),
    Field(name="day of the week", low=0, high=7, names=_DAYS),
)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A schedule.

    Args:
        text: six fields, as KFP takes them.
        given: the user's text.
        values: values of each field at which it fires; days of the week from 0 for Sunday to 6.
        any_day: whether the day of the month, and the day of the week, are unrestricted.
    """

    text: str
    given: str
    values: tuple[frozenset[int], ...]
    any_day: tuple[bool, bool]

    @property
    def converted(self) -> bool:
        """Whether the text for KFP differs from the user's."""
        return self.text != " ".join(self.given.split())

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment` at which it fires; None if that is not in 41 years.

        Args:
            moment: time with a time zone.
        """
        schedule = croniter(
            " ".join(",".join(map(str, sorted(values))) for values in self.values),
            moment.astimezone(UTC),
            # If both day fields are restricted, either one suffices: cron's rule, and robfig's.
            day_or=not any(self.any_day),
            max_years_between_matches=_SEARCHED_YEARS,
            second_at_beginning=True,
        )
        try:
            following: datetime = schedule.get_next(datetime)
        except CroniterBadDateError:
            return None
        return following


def parse(text: str) -> Cron:
    """Parse five fields in cron's usual order, six as KFP takes them, or a name like `@daily`.

    Raises:
        CronError: the text is none of these, or never fires.
    """
    parts = _NICKNAMES.get(text.strip().lower(), text).split()
    if text.strip().startswith("@") and len(parts) == 1:
        raise CronError(f"unknown schedule {text!r}; expected one of {', '.join(_NICKNAMES)}")
    if len(parts) not in (5, 6):
        raise CronError(
            f"expected five fields (minute, hour, day, month, day of the week) {EXAMPLE}, or six "
            f"with seconds first, got {len(parts)} in {text!r}"
        )
    if len(parts) == 5:
        parts = ["0", *parts]
    values = [_values(part, f, text) for part, f in zip(parts, FIELDS, strict=True)]
    if 7 in values[5]:  # for robfig, Sunday is only 0
        values[5] = values[5] - {7} | {0}
        parts[5] = ",".join(map(str, sorted(values[5])))
    cron = Cron(
        text=" ".join(parts),
        given=text,
        values=tuple(values),
        any_day=(_is_free(parts[3]), _is_free(parts[5])),
    )
    if cron.next_after(datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise CronError(f"the schedule {text!r} never fires: these months have no such day")
    return cron


def _is_free(part: str) -> bool:
    """Return whether robfig treats a day field as unrestricted: an item starts with * or ?."""
    return any(item[0] in "*?" for item in part.split(","))


def _values(part: str, field: Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for item in part.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise _wrong(item, field, text)
        start, end, step = match["start"], match["end"], whole_number(match["step"] or "1", 99)
        if start in ("*", "?"):
            # KFP numbers the days of the week from 0 to 6.
            low, high = field.low, 6 if field.high == 7 else field.high
            if end is not None:
                raise _wrong(item, field, text)
        else:
            low = _number(start, item, field, text)
            high = _number(end, item, field, text) if end else low
            if match["step"] and end is None:
                high = 6 if field.high == 7 else field.high
        if not step or low > high:
            raise _wrong(item, field, text)
        found.update(range(low, high + 1, step))
    return frozenset(found)


def _number(word: str, item: str, field: Field, text: str) -> int:
    named = (field.names or {}).get(word.lower())
    if named is not None:
        return named
    number = whole_number(word, field.high)
    if number is None or number < field.low:
        raise _wrong(item, field, text)
    return number


def _wrong(item: str, field: Field, text: str) -> CronError:
    names = f" or {', '.join(field.names)}" if field.names else ""
    return CronError(
        f"expected for the {field.name} a value from {field.low} to {field.high}{names} "
        f"(or *, 1-3, 1,3, */2) in {text!r}, got {item!r}"
    )
