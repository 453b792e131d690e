"""Which version of the table of collected runs a result is of."""

from __future__ import annotations

from pathlib import Path

from benchmarks.table_version import digest, records, records_today
from nasoa.online.collecting.starter import TABLE, collected_runs


def test_todays_number_is_that_of_the_table() -> None:
    assert records_today() == len(collected_runs())


def test_a_result_of_another_table_says_so(tmp_path: Path) -> None:
    today = records_today()
    assert records(today) == f"{today:,} records"
    assert records(today, digest(TABLE)) == f"{today:,} records"
    other = tmp_path / "other.parquet"
    other.write_bytes(b"other")
    assert records(today, digest(other)) == f"{today:,} records of an earlier version of the table"
    assert records(1234) == f"1,234 records, where today's table has {today:,}"
