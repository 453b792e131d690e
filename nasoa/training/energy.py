"""Energy and carbon dioxide of a task (section 7.5 of the paper), without network access.

The method is that of CodeCarbon for a single process (https://mlco2.github.io/codecarbon), whose
package would start a monitoring thread and import a web client in every task:

- processor: the RAPL counters of Intel and AMD, if they can be read, times this process's part of
  the CPU time that the machine spent meanwhile. Otherwise the CPU time of this process and its
  ended children, times the power of a logical core at full load: NASOA_CPU_WATTS over the number of
  cores, or 4 W.
- memory: 3 W per 8 GiB of the largest resident set, for as long as the task took.
- GPU: the energy counter of the GPU that torch uses, idle time included.
- carbon dioxide: 475 g per kWh, the world's average of 2019 (IEA), or NASOA_CARBON_INTENSITY.

Cooling, storage and network are not included.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.records import EnergyUse
from nasoa.training.gpu_energy import energies_j, used_gpu

POWERCAP = Path("/sys/class/powercap")
STAT = Path("/proc/stat")
CPU_WATTS = "NASOA_CPU_WATTS"
CARBON = "NASOA_CARBON_INTENSITY"
CORE_W = 4.0  # of a logical core at full load, if the processor's power is not given
MEMORY_W_PER_GIB = 3.0 / 8.0
WORLD_G_PER_KWH = 475.0
# Trainings of the hyperparameter search that a task is compared with: the paper's budget of 40
# times the limit (Table 4), in which section 7.5 says that computation can be saved.
SEARCH_TRAININGS = 40
RAPL, TDP = "rapl", "tdp"
SAMPLE_S = 60.0  # a counter of 2**32 units overflows after about a quarter of an hour
J_PER_WH = 3600.0


class EnergyMeter:
    """Measures the energy that this process uses, from its creation on.

    Args:
        powercap: folder of the RAPL counters.
        stat: file with the kernel's counters of CPU time.

    Raises:
        InvalidInput: NASOA_CPU_WATTS or NASOA_CARBON_INTENSITY is not a number in its range.
    """

    def __init__(self, powercap: Path = POWERCAP, stat: Path = STAT) -> None:
        self._core_w = _setting(CPU_WATTS, 0.0) / (os.cpu_count() or 1) or CORE_W
        self._carbon = _setting(CARBON, WORLD_G_PER_KWH)
        self._stat = stat
        self._counters = _counters(powercap)
        self._lock = threading.Lock()
        if self._counters:
            sampled = weakref.ref(self)
            threading.Thread(target=_sample, args=(sampled,), daemon=True, name="energy").start()
        self._gpus_j = energies_j()
        self._began = (time.monotonic(), _own_cpu_s(), _busy_cpu_s(stat))

    def used(self, before: EnergyUse | None = None) -> EnergyUse:
        """Return the energy used so far.

        Args:
            before: what other processes used for the task before; added.
        """
        began_s, own_began_s, busy_began_s = self._began
        own_s = max(_own_cpu_s() - own_began_s, 0.0)
        cpu_j, source = own_s * self._core_w, TDP
        if self._counters:
            busy_s = max(_busy_cpu_s(self._stat) - busy_began_s, own_s)
            cpu_j, source = self.advance() * (own_s / busy_s if busy_s else 1.0), RAPL
        memory_j = MEMORY_W_PER_GIB * _largest_gib() * (time.monotonic() - began_s)
        known = before or _nothing(source)
        return _made(
            cpu_wh=known.cpu_wh + cpu_j / J_PER_WH,
            memory_wh=known.memory_wh + memory_j / J_PER_WH,
            gpu_wh=known.gpu_wh + self._gpu_j() / J_PER_WH,
            cpu_source=source if known.cpu_source == source else TDP,
            core_w=self._core_w,
            carbon=self._carbon,
        )

    def advance(self) -> float:
        """Read the RAPL counters, and return the joules of all processors since the creation."""
        with self._lock:
            return sum(counter.advance() for counter in self._counters)

    def _gpu_j(self) -> float:
        gpu = used_gpu()
        return max(energies_j().get(gpu, 0.0) - self._gpus_j.get(gpu, 0.0), 0.0) if gpu else 0.0


@dataclass
class _Counter:
    """The energy counter of a processor, which starts again at 0 after `range_uj`."""

    path: Path
    range_uj: int
    last_uj: int
    total_uj: int = 0

    def advance(self) -> float:
        """Return the joules since the creation."""
        try:
            now_uj = int(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            now_uj = self.last_uj
        self.total_uj += (now_uj - self.last_uj) % (self.range_uj + 1)
        self.last_uj = now_uj
        return self.total_uj / 1e6


def _counters(powercap: Path) -> list[_Counter]:
    """Return the counters of the processors; none if one of them cannot be read."""
    found = []
    try:
        for zone in sorted(powercap.glob("intel-rapl:[0-9]*")):
            is_part = zone.name.count(":") > 1
            if is_part or not (zone / "name").read_text(encoding="ascii").startswith("package"):
                continue
            path = zone / "energy_uj"
            range_uj = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
            found.append(_Counter(path, range_uj, int(path.read_text(encoding="ascii"))))
    except (OSError, ValueError):  # since Linux 5.10, only root can read them
        return []
    return found


def _sample(sampled: weakref.ref[EnergyMeter]) -> None:
    """Read the counters of a meter often enough for as long as it exists."""
    while True:
        time.sleep(SAMPLE_S)
        meter = sampled()
        if meter is None:
            return
        meter.advance()
        del meter


def _own_cpu_s() -> float:
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def _busy_cpu_s(stat: Path) -> float:
    """Return the CPU seconds of all processes since boot; 0 if unknown."""
    try:
        counts = stat.read_text(encoding="ascii").split("\n", 1)[0].split()
        user, nice, system, _idle, _waiting, irq, softirq = map(int, counts[1:8])
    except (OSError, ValueError):
        return 0.0
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _largest_gib() -> float:
    """Return the largest resident set of this process; 0 on Windows, which does not tell."""
    try:
        import resource  # noqa: PLC0415
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _setting(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1e6:
        raise InvalidInput(f"expected {variable} to be a number from 0 to 1000000, got {text!r}")
    return value


def _nothing(source: str) -> EnergyUse:
    return _made(cpu_wh=0.0, memory_wh=0.0, gpu_wh=0.0, cpu_source=source, core_w=0.0, carbon=0.0)


def _made(
    *,
    cpu_wh: float,
    memory_wh: float,
    gpu_wh: float,
    cpu_source: str,
    core_w: float,
    carbon: float,
) -> EnergyUse:
    energy_wh = cpu_wh + memory_wh + gpu_wh
    saved_wh = (SEARCH_TRAININGS - 1) * energy_wh
    return EnergyUse(
        energy_wh=round(energy_wh, 6),
        co2_g=round(energy_wh * carbon / 1000.0, 6),
        cpu_wh=round(cpu_wh, 6),
        memory_wh=round(memory_wh, 6),
        gpu_wh=round(gpu_wh, 6),
        cpu_source=cpu_source,
        core_w=0.0 if cpu_source == RAPL else round(core_w, 3),
        carbon_g_per_kwh=carbon,
        search_trainings=SEARCH_TRAININGS,
        saved_wh=round(saved_wh, 6),
        saved_co2_g=round(saved_wh * carbon / 1000.0, 6),
    )
