"""Run three tasks, 20 seconds each, through the pipeline that a cluster runs.

Each task is a different part of scikit-learn's digits, so nothing is downloaded. The predictor
learns from each. A page about all of them is written to report.html.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from nasoa.cli.task import gain
from nasoa.errors import NasoaError
from nasoa.pipelines import local
from nasoa.records import TaskResult, from_json, to_json
from nasoa.report.words import whole_regime
from nasoa.steps.reporting import store_report
from nasoa.store import open_store

TASKS = {
    "all ten digits": "sklearn:digits",
    "0 to 4 only": "sklearn:digits:classes=0,1,2,3,4",
    "40 images of each": "sklearn:digits:per_class=40",
}
TIME_LIMIT = "20s"
REPORT = Path("report.html")


def main() -> int:
    """Run the tasks; return 0 if each stayed within its limit."""
    held = True
    with tempfile.TemporaryDirectory(prefix="nasoa-demo-") as store:
        for title, data in TASKS.items():
            say(f"\n{title} ({data}), {TIME_LIMIT}")
            parameters = {"data": data, "time_limit": TIME_LIMIT, "store": store}
            try:
                document = local.run("finetune_task", parameters, verbose=False)
            except NasoaError as error:
                say(f"  failed: {error}")
                return 1
            result = from_json(to_json(document), TaskResult, "result")
            tell(result)
            held = held and result.elapsed_s <= result.time_limit_s
        REPORT.write_text(store_report(open_store(store)), encoding="utf-8")
    say(f"\nWrote {REPORT}: open it in a browser.")
    return 0 if held else 1


def tell(result: TaskResult) -> None:
    """Print what was chosen and the result."""
    say(f"  chosen     {result.model}: {whole_regime(result.regime)}")
    say(f"  accuracy   predicted {result.predicted_accuracy:.3f}, measured {result.accuracy:.3f}")
    say(f"  validation {gain(result)}")
    say(f"  time       {result.elapsed_s:.1f} of {result.time_limit_s:g} s")
    say(
        f"  predictor  version {result.predictor_version_before} -> "
        f"{result.predictor_version_after}"
    )


def say(text: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
