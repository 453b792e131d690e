"""The page about a whole store: fine-tunes, experience, costs, energy, zoo, searches, failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from nasoa.records import FailedRun
from nasoa.report.contents import StoreContents
from nasoa.report.cost_section import cost_section
from nasoa.report.energy_section import energy_section, with_energy
from nasoa.report.experience_section import coverage, experience_section
from nasoa.report.page import document, figures, html_table, paragraph
from nasoa.report.search_section import search_section
from nasoa.report.task_section import task_section
from nasoa.report.words import duration, minute
from nasoa.report.zoo_section import zoo_section

MAX_FAILURES = 100
TITLE = "nasoa: report of a store"
FAILURE_HEADER = ("subject", "pipeline", "outcome", "message", "at (UTC)", "run")


def store_page(contents: StoreContents) -> str:
    """Return a document about everything in a store; what it has nothing of is left out."""
    sections = [(name, make(contents)) for name, is_there, make in _SECTIONS if is_there(contents)]
    links = "".join(f'<a href="#{_anchor(name)}">{name}</a>' for name, _body in sections)
    parts = [_summary(contents), f'<nav aria-label="sections">{links}</nav>' if sections else ""]
    parts += [
        f'<section id="{_anchor(name)}"><h2>{name}</h2>{body}</section>' for name, body in sections
    ]
    return document(TITLE, "\n".join(parts))


def _summary(contents: StoreContents) -> str:
    experiences = contents.experiences
    place = f'<p class="soft">Store: {escape(contents.uri)}</p>' if contents.uri else ""
    if not experiences:
        return (
            f"{place}<p>There are no fine-tunes yet: <code>nasoa finetune</code> creates the "
            "first.</p>"
        )
    misses = [abs(e.predicted_accuracy - e.accuracy) for e in experiences]
    in_time = sum(e.elapsed_s <= e.task.time_limit_s for e in experiences)
    values = [
        ("fine-tune" if len(experiences) == 1 else "fine-tunes", f"{len(experiences)}"),
        ("within the time limit", f"{in_time} of {len(experiences)}"),
        ("mean error of the predicted accuracy", f"{sum(misses) / len(misses):.3f}"),
    ]
    inside = coverage(contents)
    if inside:
        values.append(("outcomes inside the 90 % interval", f"{sum(inside)} of {len(inside)}"))
    values.append(("time of all fine-tunes", duration(sum(e.elapsed_s for e in experiences))))
    values.append(("newest fine-tune (UTC)", minute(experiences[-1].created_at)[:10]))
    return place + figures(values)


def _failures(failures: Sequence[FailedRun]) -> str:
    shown = failures[-MAX_FAILURES:]
    note = f" The newest {len(shown)} of {len(failures)}." if len(shown) < len(failures) else ""
    rows = [
        (f.subject, f.pipeline, f.state.lower(), f.message, minute(f.created_at), f.run_id)
        for f in reversed(shown)
    ]
    text = f"Pipeline runs; see the log of the failed step for details.{note}"
    return paragraph(text, soft=True) + html_table(FAILURE_HEADER, rows)


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


# Name, whether a store has something of it, and its content.
_SECTIONS: tuple[
    tuple[str, Callable[[StoreContents], bool], Callable[[StoreContents], str]], ...
] = (
    (
        "Fine-tunes",
        lambda contents: bool(contents.experiences),
        task_section,
    ),
    (
        "Experience",
        lambda contents: bool(contents.experiences or contents.versions),
        experience_section,
    ),
    (
        "Costs",
        lambda contents: bool(contents.experiences or contents.searches),
        cost_section,
    ),
    (
        "Energy",
        lambda contents: bool(with_energy(contents.experiences)),
        lambda contents: energy_section(contents.experiences),
    ),
    (
        "Zoo",
        lambda contents: bool(contents.models),
        lambda contents: zoo_section(contents.models, contents.hardware),
    ),
    (
        "Searches",
        lambda contents: bool(contents.searches),
        lambda contents: search_section(contents.searches),
    ),
    (
        "Failed runs",
        lambda contents: bool(contents.failures),
        lambda contents: _failures(contents.failures),
    ),
)
