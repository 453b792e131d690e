"""Energy of a task: from counters, or from CPU time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.records import EnergyUse
from nasoa.report.words import energy_words
from nasoa.store import open_store
from nasoa.training.energy import CARBON, CORE_W, CPU_WATTS, EnergyMeter
from nasoa.training.gpu_energy import energies_j, used_gpu


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CPU_WATTS, raising=False)
    monkeypatch.delenv(CARBON, raising=False)


def work(seconds: float) -> float:
    """Compute for some CPU seconds, and return how many they were."""
    began = time.process_time()
    while time.process_time() - began < seconds:
        sum(range(10_000))
    return time.process_time() - began


def zone(powercap: Path, number: str, name: str, energy_uj: int, range_uj: int = 10**9) -> Path:
    """Write the counter of one part of a machine as the kernel shows it."""
    folder = powercap / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder / "energy_uj"


def test_without_counters_cpu_time_counts(tmp_path: Path) -> None:
    meter = EnergyMeter(powercap=tmp_path)
    worked_s = work(0.3)
    used = meter.used()
    assert used.cpu_source == "tdp"
    assert used.core_w == CORE_W
    # Other threads of the test process may compute too.
    assert CORE_W * worked_s * 0.9 < used.cpu_wh * 3600 < CORE_W * worked_s * 3 + 1
    assert used.energy_wh == pytest.approx(used.cpu_wh + used.memory_wh + used.gpu_wh, abs=2e-6)
    assert used.memory_wh > 0
    assert used.co2_g == pytest.approx(used.energy_wh * 0.475, abs=1e-6)
    assert used.saved_wh == pytest.approx(39 * used.energy_wh, abs=1e-4)
    assert used.saved_co2_g == pytest.approx(39 * used.co2_g, abs=1e-4)


def test_waiting_uses_no_processor(tmp_path: Path) -> None:
    meter = EnergyMeter(powercap=tmp_path)
    time.sleep(0.3)
    assert meter.used().cpu_wh * 3600 < CORE_W * 0.2


def test_the_processor_and_the_grid_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CPU_WATTS, str(10 * (os.cpu_count() or 1)))
    monkeypatch.setenv(CARBON, "50")
    meter = EnergyMeter(powercap=tmp_path)
    worked_s = work(0.2)
    used = meter.used()
    assert used.core_w == 10.0
    assert used.cpu_wh * 3600 > 9 * worked_s
    assert used.co2_g == pytest.approx(used.energy_wh * 0.05, abs=1e-6)


@pytest.mark.parametrize("variable", [CPU_WATTS, CARBON])
@pytest.mark.parametrize("text", ["many", "-1", "nan", "inf"])
def test_other_settings_are_refused(
    variable: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidInput, match=rf"expected {variable} to be a number.*got '{text}'"):
        EnergyMeter(powercap=tmp_path)


def test_counters_are_shared_by_cpu_time(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu 0 0 0 0 0 0 0 0\n")
    powercap = tmp_path / "powercap"
    first = zone(powercap, "0", "package-0", 5_000_000)
    second = zone(powercap, "1", "package-1", 7_000_000)
    part = zone(powercap, "0:0", "core", 0)  # of package-0
    platform = zone(powercap, "2", "psys", 0)  # has both packages
    meter = EnergyMeter(powercap=powercap, stat=stat)
    first.write_text("11000000\n")
    second.write_text("11000000\n")
    part.write_text("500000000\n")
    platform.write_text("500000000\n")
    work(0.1)
    # No other process ran, as far as the kernel's counters say.
    alone = meter.used()
    assert alone.cpu_source == "rapl"
    assert alone.core_w == 0.0
    assert alone.cpu_wh * 3600 == pytest.approx(10.0, abs=0.01)
    ticks = round(1000 * os.sysconf("SC_CLK_TCK"))
    stat.write_text(f"cpu {ticks} 0 0 0 0 0 0 0\n")
    assert meter.used().cpu_wh * 3600 < 0.1


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    path = zone(tmp_path, "0", "package-0", 8_000_000, range_uj=9_999_999)
    meter = EnergyMeter(powercap=tmp_path, stat=tmp_path / "none")
    path.write_text("1000000\n")
    assert meter.advance() == pytest.approx(3.0)
    path.write_text("9000000\n")
    assert meter.advance() == pytest.approx(11.0)
    path.write_text("500000\n")
    assert meter.advance() == pytest.approx(12.5)
    path.write_text("not a number\n")
    assert meter.advance() == pytest.approx(12.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_counters_that_only_root_can_read_are_left(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1).chmod(0)
    assert EnergyMeter(powercap=tmp_path).used().cpu_source == "tdp"


def test_a_counter_that_is_a_folder_is_left(tmp_path: Path) -> None:
    path = zone(tmp_path, "0", "package-0", 1)
    path.unlink()
    path.mkdir()
    assert EnergyMeter(powercap=tmp_path).used().cpu_source == "tdp"


def test_what_other_processes_used_is_added(tmp_path: Path) -> None:
    meter = EnergyMeter(powercap=tmp_path)
    before = EnergyUse(
        energy_wh=6.0,
        co2_g=2.85,
        cpu_wh=3.0,
        memory_wh=1.0,
        gpu_wh=2.0,
        cpu_source="rapl",
        core_w=0.0,
        carbon_g_per_kwh=475.0,
        search_trainings=40,
        saved_wh=234.0,
        saved_co2_g=111.15,
    )
    used = meter.used(before)
    assert used.energy_wh == pytest.approx(6.0, abs=0.01)
    assert (used.gpu_wh, used.cpu_source) == (2.0, "tdp")
    assert used.saved_wh == pytest.approx(234.0, abs=0.5)


def test_a_gpu_counts_once_torch_has_used_it() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        assert used_gpu() == ""
        return
    began = energies_j()
    matrix = torch.randn(4096, 4096, device="cuda")
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        matrix = (matrix @ matrix).clamp(-1, 1)
    torch.cuda.synchronize()
    assert used_gpu() in began
    assert energies_j()[used_gpu()] - began[used_gpu()] > 20.0


def test_a_session_measures_on_the_wall_clock_only(tmp_path: Path) -> None:
    from nasoa.steps.task_session import TaskSession

    store = open_store(str(tmp_path))
    assert TaskSession(store, clock="steps").energy() is None
    session = TaskSession(store)
    first = session.energy()
    assert first is not None
    again = session.energy(before=first)  # the first call counts, in which there was nothing before
    assert again is not None
    assert again.energy_wh < first.energy_wh + 0.01


def test_one_line_says_what_was_used_and_how_it_is_known(tmp_path: Path) -> None:
    assert energy_words(None) == "not measured"
    meter = EnergyMeter(powercap=tmp_path)
    work(0.2)
    said = energy_words(meter.used())
    assert "estimated from CPU time; a search of 40 trainings:" in said
    assert len(said) < 90
