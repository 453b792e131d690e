"""A version of the predictor, for programs and people to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_TASKS = 1
MADE_BY = {
    "starter": "comes with nasoa",
    "collections": "learned collections",
    "rollback": "rollback to version {}",
    "rebuild": "rebuild from the log",
}


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """A version of the predictor.

    `kind` is "starter" (comes with nasoa), "collections" (comes with nasoa, plus collections of the
    store), "update", "rollback" (equals its parent) or "rebuild" (from the log); `parent` is the
    version that it was made from, 0 for none. `num_learned` counts all tasks that it has learned;
    `new` names those that it added, in order, and `left_out` those that updates do not learn.
    `errors` are predicted minus measured accuracy of each of `new`, just before it was learned.
    Mean absolute errors are those of `new`, of all `num_errors` that led to this version, and of
    the latest 50 of them; None if there are none, or if an early release did not record them.
    `rang_at` are the errors at which the drift alarm rang while this version was made, counted from
    1 among all that led to it. `weights` are those of the predictor's experts, by name.
    """

    version: int
    kind: str = "update"
    parent: int
    num_learned: int
    new: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    errors: tuple[float, ...] = ()
    num_errors: int = 0
    mean_abs_error: float | None = None
    mean_abs_error_so_far: float | None = None
    mean_abs_error_recent: float | None = None
    rang_at: tuple[int, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    created_at: str
    code_version: str

    @property
    def made_by(self) -> str:
        """How the version was created, in words."""
        from_version = f"update of version {self.parent}" if self.parent else "first update"
        return MADE_BY.get(self.kind, from_version).format(self.parent)

    @property
    def heaviest(self) -> str:
        """Name and weight of the expert with the largest weight."""
        if not self.weights:
            return ""
        name = max(self.weights, key=lambda name: self.weights[name])
        return f"{name} {self.weights[name]:.2f}"


def lineage(rows: Sequence[VersionRow]) -> list[VersionRow]:
    """Return the newest version and all its ancestors, oldest first; `rows` are oldest first.

    It ends at the first ancestor that is not among the rows.
    """
    by_number = {row.version: row for row in rows}
    chain = [rows[-1]] if rows else []
    while chain and chain[-1].parent in by_number:
        chain.append(by_number[chain[-1].parent])
    return chain[::-1]


def cells(row: VersionRow) -> tuple[object, ...]:
    """Return the cells of a table row: number, origin, tasks learned and left out, three errors."""
    return (
        row.version,
        row.made_by,
        row.num_learned,
        some_tasks(row.new),
        len(row.left_out) or "",
        figure(row.mean_abs_error),
        figure(row.mean_abs_error_so_far),
        figure(row.mean_abs_error_recent),
    )


def some_tasks(task_ids: Sequence[str]) -> str:
    """Return the first tasks, and how many more there are, as text."""
    more = len(task_ids) - MAX_TASKS
    return ", ".join(task_ids[:MAX_TASKS]) + (f" and {more} more" if more > 0 else "")


def figure(error: float | None) -> str:
    """Return an error as text, or "" for None."""
    return "" if error is None else f"{error:.3f}"
