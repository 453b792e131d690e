"""A pipeline as it is written, and the pipeline of KFP that is made of it.

What every pipeline has is added here: the parameters of its pools, and a last step that runs
however the others ended and records it where they failed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from nasoa.components.record_failure import record_failure
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.placement import POOL_PARAMETERS, Retries, on_light, placing


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A pipeline as it is written.

    Args:
        body: makes the steps by `on_light` and `on_gpu`, and returns the output of the last; its
            docstring describes its parameters, of which `store` is one.
        display_name, description: for the user interface.
        subject: which parameter tells in a record of failure what the run was about.
        retries: of each step.
    """

    body: Callable[..., Any]
    display_name: str
    description: str
    subject: str
    retries: Retries

    @property
    def name(self) -> str:
        """As Python and the command line call it."""
        return str(self.body.__name__)

    def build(self, options: CompileOptions) -> Any:
        """The pipeline of KFP.

        The steps are a pipeline within it, since KFP returns nothing from a `dsl.ExitHandler`.
        """
        title = self.name.replace("_", "-")

        def make_steps(values: dict[str, Any]) -> Any:
            pools = {p.name: values.pop(p.name) for p in POOL_PARAMETERS}
            with placing(pools, options, self.retries):
                return self.body(**values)

        steps = dsl.pipeline(name=f"{title}-steps")(self._function(make_steps))

        def make_watched(values: dict[str, Any]) -> Any:
            ran = steps(**values).set_display_name(self.display_name)
            ran.set_caching_options(enable_caching=False)
            with placing(values, options, self.retries):
                recorded = on_light(
                    record_failure(
                        store=values["store"],
                        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                        pipeline=title,
                        subject=values[self.subject],
                    ),
                    "Record a failure",
                )
            recorded.after(ran).ignore_upstream_failure()
            return ran.outputs["Output"]

        return dsl.pipeline(
            name=title, display_name=self.display_name, description=self.description
        )(self._function(make_watched))

    def _function(self, make: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
        """A function with the body's parameters and the pools', as KFP reads one."""
        own = inspect.signature(self.body)
        parameters = [*own.parameters.values(), *(p.of_signature() for p in POOL_PARAMETERS)]

        def pipeline(*given: Any) -> Any:
            return make(dict(zip((p.name for p in parameters), given, strict=True)))

        pipeline.__name__ = self.name
        pipeline.__doc__ = _documented(inspect.getdoc(self.body) or "")
        pipeline.__annotations__ = {p.name: p.annotation for p in parameters}
        pipeline.__annotations__["return"] = own.return_annotation
        pipeline.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return pipeline


def _documented(text: str) -> str:
    """A docstring with the pools' parameters behind its own."""
    before, returns, after = text.partition("\n\nReturns:")
    told = "".join(f"\n    {p.name}: {p.description}" for p in POOL_PARAMETERS)
    return f"{before}{told}{returns}{after}"
