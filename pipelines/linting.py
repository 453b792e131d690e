"""Find problems in a compiled pipeline that KFP's own checks miss.

KFP only parses a pipeline; it finds other problems during a run, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nasoa.pipelines import lint_references, lint_steps
from nasoa.pipelines.compiled_spec import CompiledPipeline, read
from nasoa.plain_text import escaped

Rule = Callable[[CompiledPipeline], Iterator[tuple[str, str]]]

RULES: dict[str, Rule] = {
    "component": lint_references.components,
    "input": lint_references.task_inputs,
    "output": lint_references.outputs,
    "resource": lint_references.resources,
    "platform": lint_references.platform_parameters,
    "limit": lint_steps.limits,
    "pool": lint_steps.pools,
    "user": lint_steps.users,
    "eviction": lint_steps.evictions,
    "retry": lint_steps.retries,
    "loop": lint_steps.loops,
    "branch": lint_steps.conditions,
    "image": lint_steps.images,
    "secret": lint_steps.secrets,
    "secret-name": lint_steps.secret_names,
    "cache": lint_steps.caching,
    "failure": lint_steps.failures,
    "text": lint_steps.texts,
}


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """A problem in a compiled pipeline.

    Args:
        file: file of the pipeline.
        rule: name of the rule in `RULES`.
        where: scope, or scope and task.
        message: description of the problem.
    """

    file: str
    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return escaped(f"{self.file}: {self.where}: {self.message} [{self.rule}]")


def lint(path: Path) -> list[LintFinding]:
    """Return the problems of the pipeline in a file, in the order of `RULES`.

    Raises:
        InvalidInput: the file cannot be read, or is not a compiled pipeline.
    """
    return list(lint_pipeline(read(path), str(path)))


def lint_pipeline(pipeline: CompiledPipeline, file: str) -> Iterator[LintFinding]:
    """Yield the problems of a parsed pipeline; `file` only appears in the findings."""
    for name, rule in RULES.items():
        for where, message in rule(pipeline):
            yield LintFinding(file=file, rule=name, where=where, message=message)
