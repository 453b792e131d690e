"""Energy in the page about a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from nasoa.records import EnergyUse, Experience
from nasoa.report.energy_section import energy_section


def test_energy_is_summed_and_its_assumptions_are_told(
    make_experience: Callable[..., Experience],
    make_energy: Callable[..., EnergyUse],
    check_page: Callable[[str], None],
    evil: str,
) -> None:
    one = make_experience(evil)
    experiences = [
        dataclasses.replace(one, energy=make_energy(2.0)),
        dataclasses.replace(one, energy=make_energy(60.0, "rapl")),
        one,
    ]
    page = energy_section(experiences)
    check_page(f"<style></style>{page}")
    for shown in (
        "2 of 3 fine-tunes have a record",
        "In 1 the processor&#x27;s own counters were read",
        "In 1 the processor&#x27;s energy is its CPU time, times 4 W",
        "475 g per kWh",
        "<dd>62 Wh</dd>",
        "<dd>29.4 g</dd>",
        "<dd>2.48 kWh</dd>",
        "<dd>1.18 kg</dd>",
        '<td class="number" data-label="energy">46.5 Wh</td>',
        '<td class="number" data-label="fraction">25 %</td>',
    ):
        assert shown in page
    assert ">GPU<" not in page


def test_no_energy_at_all_divides_nothing(
    make_experience: Callable[..., Experience],
    make_energy: Callable[..., EnergyUse],
    check_page: Callable[[str], None],
) -> None:
    page = energy_section([dataclasses.replace(make_experience(), energy=make_energy(0.0))])
    check_page(f"<style></style>{page}")
    assert "<dd>0 Wh</dd>" in page
