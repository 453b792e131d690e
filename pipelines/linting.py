"""Findings in a compiled pipeline that KFP's own checks let through.

KFP parses what it is given and finds the rest when a run is under way, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nasoa.pipelines import lint_references, lint_steps
from nasoa.pipelines.compiled_spec import CompiledPipeline, read

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
    """What is wrong.

    Args:
        file: of the pipeline.
        rule: of `RULES`.
        where: the scope, or scope and task.
        message: what is wrong there.
    """

    file: str
    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}: {self.message} [{self.rule}]"


def lint(path: Path) -> list[LintFinding]:
    """What is wrong with the pipeline in a file; the order is that of `RULES`.

    Raises:
        InvalidInput: the file holds no compiled pipeline.
    """
    return list(lint_pipeline(read(path), str(path)))


def lint_pipeline(pipeline: CompiledPipeline, file: str) -> Iterator[LintFinding]:
    """`lint` of a pipeline that is read already; `file` is only told."""
    for name, rule in RULES.items():
        for where, message in rule(pipeline):
            yield LintFinding(file=file, rule=name, where=where, message=message)
