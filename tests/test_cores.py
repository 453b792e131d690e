"""The number of cores that a process may use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasoa.cores import OtherWork, blas_threads, cpu_limit, num_cores


@pytest.mark.parametrize(
    ("text", "cores"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("5000 100000\n", 1), ("max 100000\n", None)],
)
def test_a_limit_of_cgroup_2_is_rounded_up(tmp_path: Path, text: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cpu_limit(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("400000", 4), ("-1", None)])
def test_a_limit_of_cgroup_1(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu_limit(tmp_path) == cores


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path) is None


def stat(path: Path, *, user: float = 0.0, nice: float = 0.0, stolen: float = 0.0) -> None:
    """Write counters like the kernel's from CPU seconds of all cores."""
    ticks = os.sysconf("SC_CLK_TCK")
    counts = [user, nice, 0.0, 1000.0, 0.0, 0.0, 0.0, stolen, 0.0, 0.0]
    path.write_text("cpu  " + " ".join(str(round(c * ticks)) for c in counts) + "\ncpu0 1 2 3\n")


@pytest.mark.parametrize("kind", ["user", "stolen"])
def test_what_others_use_is_not_free(tmp_path: Path, kind: str) -> None:
    counters = tmp_path / "stat"
    stat(counters)
    others = OtherWork(counters)
    time.sleep(0.2)
    # Far more work than any machine has cores for: one core is left.
    stat(counters, **{kind: 10_000.0})
    assert others.free_cores() == 1


def test_a_process_of_lower_priority_does_not_count(tmp_path: Path) -> None:
    if os.nice(0) > 0:
        pytest.skip("this process has a lower priority itself")
    counters = tmp_path / "stat"
    stat(counters)
    others = OtherWork(counters)
    time.sleep(0.2)
    stat(counters, nice=10_000.0)
    assert others.free_cores() == num_cores()


def test_own_work_does_not_count(tmp_path: Path) -> None:
    counters = tmp_path / "stat"
    stat(counters)
    others = OtherWork(counters)
    began = sum(os.times()[:2])
    while (used := sum(os.times()[:2]) - began) < 0.3:
        pass
    stat(counters, user=used)
    assert others.free_cores() == num_cores()


@pytest.mark.parametrize("text", [None, "", "cpu\n", "cpu a b c d e f g h\n"])
def test_without_counters_nobody_is_seen(tmp_path: Path, text: str | None) -> None:
    counters = tmp_path / "stat"
    if text is not None:
        counters.write_text(text)
    assert OtherWork(counters).free_cores() == num_cores()


def test_a_real_process_is_seen() -> None:
    """If a busy process runs on each core, one core is reported as free."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        time.sleep(0.5)
        others = OtherWork()
        time.sleep(1.0)
        assert others.free_cores() == 1
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def test_one_thread_holds_for_libraries_that_are_loaded_later() -> None:
    program = (
        "import numpy\n"
        "from nasoa.cores import one_thread\n"
        "one_thread()\n"
        "import sklearn.ensemble\n"
        "from threadpoolctl import threadpool_info\n"
        "found = {pool['filepath']: pool['num_threads'] for pool in threadpool_info()}\n"
        "assert len(found) > 1\n"
        "assert set(found.values()) == {1}, found\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_linear_algebra_uses_as_many_threads_as_it_is_told() -> None:
    """NumPy and SciPy load two OpenBLAS libraries; both are limited, and only within the block."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        with blas_threads(1):
            assert threads() == {1}
        assert threads() == {2}
