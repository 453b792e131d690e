"""`nasoa predictor show`, `update`, `rollback`, `rebuild`, `learn`: versions of the predictor."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from nasoa.cli.output import Subparsers, show, table, user_path, work_bars, write_page
from nasoa.cli.task import METHODS
from nasoa.errors import InvalidInput
from nasoa.report.version_row import VersionRow, cells, figure
from nasoa.store import open_store

if TYPE_CHECKING:
    from nasoa.steps.learn_collections import LearnedCollections

HEADER = (
    "version",
    "made by",
    "tasks learned",
    "new tasks",
    "left out",
    "error",
    "error so far",
    "error, last 50",
    "heaviest expert",
    "drift alarm",
    "made at (UTC)",
)
ROLLBACK_HELP = """\
Make a new version that equals version N. What was learned after N is left out: it stays in the
experience log, but later updates do not learn it. Use this if the experiences were bad. To learn
them again:

  nasoa predictor rollback N --relearn   the next update learns them: if only the version was bad
  nasoa predictor update --relearn       learn now what is left out
  nasoa predictor rebuild                learn the complete log again
"""
UNREADABLE = (
    "No version can be read. The next update learns the complete experience log again, as does "
    "nasoa predictor rebuild."
)
REBUILD_HELP = """\
Learn the complete experience log again, in order of time, as a new version. The same log gives an
equal predictor. Tasks that --without names are left out, by later updates too; tasks that were left
out before and are not named are learned.
"""
LEARN_HELP = """\
Make the predictor of this store start from the collected runs that come with nasoa and those of
these collections, which nasoa meta-train made. The experience log is learned again on top; what was
left out stays left out. Learning thousands of records takes minutes: it is repeated without each
data set in turn, to measure how well the predictor does on data sets that it has not learned.

Name all collections to learn: those of an earlier call are not kept.
"""
Verbs: TypeAlias = "Subparsers[argparse.ArgumentParser]"


def add_verbs(own: Verbs, shared: argparse.ArgumentParser) -> None:
    """Add `show`, `update`, `rollback`, `rebuild` and `learn`."""
    method = argparse.ArgumentParser(add_help=False)
    method.add_argument(
        "--method",
        default=METHODS[0],
        choices=METHODS,
        help="whose predictor: paper is that of --method paper, with versions of its own "
        "(default: default)",
    )
    common = [method, shared]
    verb = _verb(own, common, "show", run_show, "the predictor's versions")
    verb.add_argument("--version", type=int, metavar="N", help="only this version, with all errors")
    verb.add_argument("--last", type=int, metavar="N", help="only the newest N")
    verb.add_argument(
        "-o", "--output", type=user_path, metavar="FILE.html", help="write a page as well"
    )
    verb = _verb(own, common, "update", run_update, "learn new experiences, as each fine-tune does")
    verb.add_argument(
        "--relearn",
        action="store_true",
        help="also learn what a rollback or rebuild left out",
    )
    verb = _verb(own, common, "rollback", run_rollback, "go back to a version", ROLLBACK_HELP)
    verb.add_argument("number", type=int, metavar="N", help="the version to go back to")
    verb.add_argument(
        "--relearn", action="store_true", help="leave nothing out: the next update learns it again"
    )
    verb = _verb(own, common, "rebuild", run_rebuild, "learn the log again", REBUILD_HELP)
    verb.add_argument(
        "--without",
        nargs="+",
        action="extend",
        default=[],
        metavar="TASK_ID",
        help="leave these tasks out",
    )
    verb = _verb(own, [shared], "learn", run_learn, "start from collections as well", LEARN_HELP)
    verb.add_argument("collections", nargs="+", metavar="NAME", help="collection of the store")


def _verb(
    own: Verbs,
    parents: Sequence[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    description: str = "",
) -> argparse.ArgumentParser:
    verb = own.add_parser(
        name,
        parents=parents,
        help=summary,
        description=description or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(run=run)
    return verb


def run_show(arguments: argparse.Namespace) -> None:
    """Print the versions of the predictor, what each learned and its errors; write their page."""
    from nasoa.report.predictor_page import predictor_page  # noqa: PLC0415
    from nasoa.steps import predictor_history  # noqa: PLC0415
    from nasoa.steps.methods import method_named  # noqa: PLC0415

    if arguments.last is not None and arguments.last < 1:
        raise InvalidInput(f"expected --last to be at least 1, got {arguments.last}")
    store, method = open_store(arguments.store), method_named(arguments.method)
    if arguments.version is not None:
        if arguments.output or arguments.last:
            raise InvalidInput("expected --version alone, or --last and -o; leave one out")
        with work_bars():
            row = predictor_history.predictor_version(store, arguments.version, method)
        show(arguments, row, _one(row))
        return
    with work_bars():
        rows = predictor_history.predictor_versions(store, arguments.last or 0, method)
    if arguments.output:
        write_page(arguments.output, predictor_page(rows))
    others = _others(predictor_history.other_predictors(store, method))
    show(arguments, rows, "\n".join([_all(rows) if rows else UNREADABLE, *others]))


def run_update(arguments: argparse.Namespace) -> None:
    """Learn new experiences."""
    from nasoa.steps import learning  # noqa: PLC0415
    from nasoa.steps.methods import method_named  # noqa: PLC0415

    with work_bars():
        update = learning.update(
            open_store(arguments.store), method_named(arguments.method), relearn=arguments.relearn
        )
    count = len(update.learned)
    text = f"Version {update.version_after} learned {_experiences(count)}."
    show(arguments, update, text if count else "There is nothing new to learn.")


def run_rollback(arguments: argparse.Namespace) -> None:
    """Go back to a version."""
    from nasoa.steps import learning, predictor_history  # noqa: PLC0415
    from nasoa.steps.methods import method_named  # noqa: PLC0415

    store, method = open_store(arguments.store), method_named(arguments.method)
    with work_bars():
        number = learning.rollback_predictor(
            store, arguments.number, method, relearn=arguments.relearn
        ).version
        row = predictor_history.predictor_version(store, number, method)
    show(arguments, row, f"Version {number} equals version {row.parent}. {_left_out(row)}")


def run_rebuild(arguments: argparse.Namespace) -> None:
    """Learn the complete log again."""
    from nasoa.steps import learning, predictor_history  # noqa: PLC0415
    from nasoa.steps.methods import method_named  # noqa: PLC0415

    store, method = open_store(arguments.store), method_named(arguments.method)
    with work_bars():
        number = learning.rebuild_predictor(store, arguments.without, method).version
    row = predictor_history.predictor_version(store, number, method)
    text = f"Version {number} learned {_experiences(len(row.new))} again. {_left_out(row)}"
    show(arguments, row, text)


def run_learn(arguments: argparse.Namespace) -> None:
    """Make the predictor start from collections of the store as well."""
    learned = learn_collections(arguments.store, arguments.collections)
    show(arguments, learned, learned_text(learned))


def learn_collections(store: str, names: Sequence[str]) -> LearnedCollections:
    """Learn collections, after printing to standard error that this takes long."""
    from nasoa.steps.learn_collections import (  # noqa: PLC0415  (takes a second)
        learn_collections as learn,
    )

    def report(count: int) -> None:
        sys.stderr.write(f"learning {count} records; thousands take minutes\n")

    with work_bars():
        return learn(open_store(store), names, report)


def learned_text(learned: LearnedCollections) -> str:
    """Describe what was learned."""
    return (
        f"Version {learned.version} starts from {learned.records} records of "
        f"{', '.join(learned.collections)} and {learned.packaged} that come with nasoa. "
        f"It learned {_experiences(learned.experiences)} again."
    )


def _all(rows: Sequence[VersionRow]) -> str:
    shown = [
        (
            *cells(row),
            row.heaviest,
            "rang" if row.rang_at else "",
            row.created_at[:19],
        )
        for row in rows
    ]
    rang = [row.version for row in rows if row.rang_at]
    note = (
        f"\n\nThe drift alarm rang at version {', '.join(map(str, rang))}: errors were larger "
        "than before."
        if rang
        else ""
    )
    return table(HEADER, shown) + note


def _one(row: VersionRow) -> str:
    facts = [
        ("version", row.version),
        ("made by", row.made_by),
        ("made at (UTC)", row.created_at[:19]),
        ("nasoa", row.code_version),
        ("tasks learned", row.num_learned),
        ("left out", ", ".join(row.left_out) or "none"),
        ("error", figure(row.mean_abs_error)),
        ("error so far", figure(row.mean_abs_error_so_far)),
        ("error, last 50", figure(row.mean_abs_error_recent)),
        (
            "drift alarm",
            f"rang at experience {', '.join(map(str, row.rang_at))}" * bool(row.rang_at),
        ),
    ]
    width = max(len(name) for name, _ in facts)
    parts = ["\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in facts)]
    weights = sorted(row.weights.items(), key=lambda item: -item[1])
    parts.append(table(("expert", "weight"), [(name, f"{w:.4f}") for name, w in weights]))
    if row.errors:
        errors = [(t, f"{e:+.4f}") for t, e in zip(row.new, row.errors, strict=True)]
        parts.append(table(("new task", "predicted minus measured"), errors))
    elif row.new:
        parts.append(table(("new task",), [(task_id,) for task_id in row.new]))
    return "\n\n".join(parts)


def _others(others: Sequence[str]) -> list[str]:
    """Return a line about predictors of other feature layouts, if there are any."""
    if not others:
        return []
    is_learned = "the next update learns the experience log again"
    return [f"{', '.join(others)} has another feature layout; {is_learned}."]


def _left_out(row: VersionRow) -> str:
    if not row.left_out:
        return "Nothing is left out."
    count = len(row.left_out)
    verb = "is" if count == 1 else "are"
    return f"{_experiences(count).capitalize()} {verb} left out; updates skip them."


def _experiences(count: int) -> str:
    return "1 experience" if count == 1 else f"{count} experiences"
