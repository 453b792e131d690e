"""Cron expressions: how they are converted, what is refused, and when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.errors import CronError
from nasoa.pipelines.cron import Cron, parse

NOW = datetime(2026, 11, 24, 15, 29, 59, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "six", "following"),
    [
        ("0 3 * * *", "0 0 3 * * *", "2026-11-25T03:00:00"),
        ("30 15 * * *", "0 30 15 * * *", "2026-11-24T15:30:00"),
        ("*/15 9-17 * * mon-fri", "0 */15 9-17 * * mon-fri", "2026-11-24T15:30:00"),
        ("0 0 * * 7", "0 0 0 * * 0", "2026-11-29T00:00:00"),
        ("0 0 * * 5-7", "0 0 0 * * 0,5,6", "2026-11-27T00:00:00"),
        ("0 0 29 2 *", "0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 1 1 */7", "0 0 0 1 1 */7", "2034-01-01T00:00:00"),
        ("0 0 29 2 */7", "0 0 0 29 2 */7", "2032-02-29T00:00:00"),
        ("0 0 13 * FRI", "0 0 0 13 * FRI", "2026-11-27T00:00:00"),
        ("0 0 31 2 mon", "0 0 0 31 2 mon", "2027-02-01T00:00:00"),
        ("0 0 1-31 * mon", "0 0 0 1-31 * mon", "2026-11-25T00:00:00"),
        ("@daily", "0 0 0 * * *", "2026-11-25T00:00:00"),
        ("30 0 3 ? JAN *", "30 0 3 ? JAN *", "2027-01-01T03:00:30"),
        ("  5/20   * * * *", "0 5/20 * * * *", "2026-11-24T15:45:00"),
    ],
)
def test_what_kfp_gets_and_when_it_fires(text: str, six: str, following: str) -> None:
    cron = parse(text)
    assert cron.text == six
    assert cron.converted == (len(text.split()) != 6)
    assert cron.next_after(NOW) == datetime.fromisoformat(following).replace(tzinfo=UTC)
    assert not parse(six).converted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected five fields"),
        ("tomorrow", "expected five fields"),
        ("0 3 * *", "got 4"),
        ("0 0 3 * * * 2027", "got 7"),
        ("60 * * * *", "for the minute a value from 0 to 59"),
        ("0 24 * * *", "for the hour a value from 0 to 23"),
        ("0 0 0 * *", "for the day of the month a value from 1 to 31"),
        ("0 0 L * *", "got 'L'"),
        ("0 0 * * 5#3", "got '5#3'"),
        ("0 0 * * 8", "for the day of the week a value from 0 to 7"),
        ("0 0 * feb-jan *", "got 'feb-jan'"),
        ("*/0 * * * *", "got '\\*/0'"),
        ("1,,2 * * * *", "got ''"),
        ("*-5 * * * *", "got"),
        ("\u0663 * * * *", "got"),
        ("0 0 31 2,4 *", "never fires"),
        ("@reboot", "unknown schedule '@reboot'"),
        ("@every 1h", "expected five fields"),
        (f"*/{'9' * 5000} * * * *", "expected for the minute a value from 0 to 59"),
        (f"{'9' * 5000} * * * *", "expected for the minute a value from 0 to 59"),
    ],
)
def test_nonsense_is_refused(text: str, expected: str) -> None:
    with pytest.raises(CronError, match=expected):
        parse(text)


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(lambda p: f"{min(p)}-{max(p)}")
    steps = st.integers(1, 9).map(lambda n: f"*/{n}")
    item = st.one_of(st.just("*"), number.map(str), ranges, steps)
    return st.lists(item, min_size=1, max_size=2).map(",".join)


FIELDS = st.tuples(a_field(0, 59), a_field(0, 23), a_field(1, 28), a_field(1, 12), a_field(0, 7))


def fires(cron: Cron, moment: datetime) -> bool:
    """Apply cron's rule in its simplest form."""
    seconds, minutes, hours, days, months, weekdays = cron.values
    in_month, in_week = moment.day in days, (moment.weekday() + 1) % 7 in weekdays
    day = (in_month and in_week) if any(cron.any_day) else (in_month or in_week)
    return (
        moment.second in seconds
        and moment.minute in minutes
        and moment.hour in hours
        and moment.month in months
        and day
    )


@settings(max_examples=60, deadline=None)
@given(fields=FIELDS, offset=st.integers(0, 10**7))
def test_the_next_time_fits_and_none_is_before_it(fields: tuple[str, ...], offset: int) -> None:
    cron = parse(" ".join(fields))
    start = NOW + timedelta(seconds=offset)
    found = cron.next_after(start)
    assert found is not None
    assert found > start
    assert fires(cron, found)
    minute = start.replace(second=0) + timedelta(minutes=1)
    for i in range(3000):
        moment = minute + timedelta(minutes=i)
        if moment >= found:
            break
        assert not fires(cron, moment)


@given(fields=FIELDS)
def test_what_kfp_gets_means_the_same_and_knows_no_seventh_day(fields: tuple[str, ...]) -> None:
    cron = parse(" ".join(fields))
    again = parse(cron.text)
    assert (again.values, again.text) == (cron.values, cron.text)
    assert 7 not in cron.values[5]
    assert len(cron.text.split()) == 6
