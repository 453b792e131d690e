"""Energy and carbon dioxide of the fine-tunes, in the page about a store."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasoa.records import EnergyUse, Experience
from nasoa.report.axes import Axes, count_ticks, round_ticks
from nasoa.report.over_time import HEIGHT, WIDTH, dots, means, told_means
from nasoa.report.page import chart, charts, figures, html_table, paragraph

HEADER = ("part", "energy", "fraction")


def energy_section(experiences: Sequence[Experience]) -> str:
    """Return the section about fine-tunes with a record of their energy; at least one has one."""
    metered = with_energy(experiences)
    uses = [use for _experience, use in metered]
    total_wh = sum(use.energy_wh for use in uses)
    total_g = sum(use.co2_g for use in uses)
    search_wh = total_wh + sum(use.saved_wh for use in uses)
    search_g = total_g + sum(use.saved_co2_g for use in uses)
    values = [
        ("energy of all fine-tunes", _amount(total_wh, "Wh")),
        ("carbon dioxide of all fine-tunes", _amount(total_g, "g")),
        ("energy of a search each in their place", _amount(search_wh, "Wh")),
        ("carbon dioxide of these searches", _amount(search_g, "g")),
    ]
    drawn = chart(
        energy_chart(metered),
        f"Energy of a fine-tune until its model was saved. {told_means(len(metered))}",
    )
    return "".join(
        [
            paragraph(_assumptions(uses, len(experiences)), soft=True),
            figures(values),
            charts([drawn]),
            _parts(uses, total_wh),
        ]
    )


def with_energy(experiences: Sequence[Experience]) -> list[tuple[Experience, EnergyUse]]:
    """Return the fine-tunes whose energy was recorded, with it."""
    return [(e, e.energy) for e in experiences if e.energy is not None]


def energy_chart(metered: Sequence[tuple[Experience, EnergyUse]]) -> str:
    """Draw the energy of each fine-tune (SVG), with its mean; at least one."""
    values = [use.energy_wh for _experience, use in metered]
    highest = 1.05 * max(values) or 1.0
    levels = tuple(tick.share * highest for tick in round_ticks(highest))
    axes = Axes(WIDTH, HEIGHT, highest, 0.0, levels)
    before, after = axes.draw(
        title="Energy of each fine-tune",
        described=f"{len(values)} fine-tunes, {sum(values) / len(values):.3g} Wh on average",
        x_title="fine-tunes with a record of their energy",
        y_title="energy in Wh",
        ticks=count_ticks(len(values)),
    )

    def title(index: int) -> str:
        return f"{escape(metered[index][0].task.dataset)}: {values[index]:.3g} Wh"

    return before + dots(axes, values, 4, title) + means(axes, values) + after


def _assumptions(uses: Sequence[EnergyUse], count: int) -> str:
    measured = sum(use.cpu_source == "rapl" for use in uses)
    newest = uses[-1]
    text = f"{len(uses)} of {count} fine-tunes have a record of their energy. "
    if measured:
        text += f"In {measured} the processor's own counters were read. "
    if measured < len(uses):
        watts = next(use.core_w for use in reversed(uses) if use.cpu_source != "rapl")
        text += (
            f"In {len(uses) - measured} the processor's energy is its CPU time, times {watts:g} W "
            "for a logical core in the newest. "
        )
    return text + (
        f"Carbon dioxide: {newest.carbon_g_per_kwh:g} g per kWh in the newest. A search is one of "
        f"{newest.search_trainings} trainings, each of which uses as much as the fine-tune."
    )


def _parts(uses: Sequence[EnergyUse], total_wh: float) -> str:
    parts = [
        ("processor", sum(use.cpu_wh for use in uses)),
        ("memory", sum(use.memory_wh for use in uses)),
        ("GPU", sum(use.gpu_wh for use in uses)),
    ]
    rows = [
        (name, _amount(wh, "Wh"), f"{100 * wh / total_wh:.0f} %" if total_wh else "")
        for name, wh in parts
        if wh > 0.0
    ]
    return html_table(HEADER, rows, HEADER[1:])


def _amount(value: float, unit: str) -> str:
    """Return an amount with three digits, in thousands of the unit if it is large."""
    if value >= 1000.0:
        return f"{value / 1000.0:.3g} k{unit}"
    return f"{value:.3g} {unit}"
