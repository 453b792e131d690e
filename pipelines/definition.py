"""The definition of a pipeline, and the KFP pipeline built from it.

Every pipeline gets the parameters of its pools, and a last step that runs however the other steps
ended and records a failure.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kfp import dsl

from nasoa.components.record_failure import record_failure
from nasoa.pipelines import pod_settings
from nasoa.pipelines.options import CompileOptions
from nasoa.pipelines.parameters import fitting_defaults
from nasoa.pipelines.placement import POOL_PARAMETERS, Retries, on_light, placing
from nasoa.pipelines.pool_values import check

_NEEDED = inspect.Parameter.empty


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The definition of a pipeline.

    Args:
        name: name in Python and on the command line.
        body: function that creates the steps with `on_light` and `on_gpu` and returns the output of
            the last one; its docstring describes its parameters, one of which is `store`.
        display_name, description: texts for the user interface.
        subject: parameter that says in the record of a failure what the run was about.
        retries: retries of each step.
        shown: parameters that a run can set, empty for all; a parameter without a default is always
            shown.
        shares_data: whether its pods read the same data sets, which are then copied to the site's
            claim; users' data is not, because every pod of the namespace could read it there.
    """

    name: str
    body: Callable[..., Any]
    display_name: str
    description: str
    subject: str
    retries: Retries
    shown: tuple[str, ...] = ()
    shares_data: bool = False

    def build(self, options: CompileOptions) -> Any:
        """Build the KFP pipeline.

        The steps are a nested pipeline, because KFP returns no output from a `dsl.ExitHandler`.

        Raises:
            InvalidInput: a default of the site is not valid for its parameter.
        """
        title = self.name.replace("_", "-")
        if not self.shares_data:
            options = replace(options, data_claim="")
        labels = options.labels_of(self.name)
        parameters = self.parameters(options)
        shown = [p for p in parameters if self._is_shown(p)]
        hidden = {p.name: p.default for p in parameters if not self._is_shown(p)}

        def make_steps(values: dict[str, Any]) -> Any:
            pools = {p.name: values.pop(p.name) for p in POOL_PARAMETERS}
            with placing(pools, options, self.retries, labels):
                return self.body(**values)

        steps = dsl.pipeline(name=f"{title}-steps")(self._function(make_steps, parameters))

        def make_watched(given: dict[str, Any]) -> Any:
            values = {**hidden, **given}
            ran = steps(**values).set_display_name(self.display_name)
            ran.set_caching_options(enable_caching=False)
            with placing(values, options, self.retries, labels):
                recorded = on_light(
                    record_failure(
                        store=values["store"],
                        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                        pipeline=title,
                        subject=values[self.subject],
                    ),
                    "Record a failure",
                )
            if options.alert_secret:
                pod_settings.set_alert(recorded, options.alert_secret)
            recorded.after(ran).ignore_upstream_failure()
            return ran.outputs["Output"]

        return dsl.pipeline(
            name=title,
            display_name=self.display_name,
            description=self._told(shown),
            pipeline_config=_run_settings(options, self.name),
        )(self._function(make_watched, shown))

    def _told(self, shown: Sequence[inspect.Parameter]) -> str:
        """Return the description, with a line for each of the body's parameters that a run can set.

        KFP's form for a run shows only names, types and defaults.
        """
        found = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(self.body) or "", re.M)
        texts = {name: " ".join(text.split()) for name, text in found}
        lines = [f"{p.name}: {texts[p.name]}" for p in shown if p.name in texts]
        return "\n\n".join([self.description, *lines])

    def _is_shown(self, parameter: inspect.Parameter) -> bool:
        return not self.shown or parameter.name in self.shown or parameter.default is _NEEDED

    def parameters(self, options: CompileOptions) -> list[inspect.Parameter]:
        """Return the parameters of the body and the pools, with the defaults of the options.

        Required parameters come first.

        Raises:
            InvalidInput: a default of the site is not valid for its parameter.
        """
        own = inspect.signature(self.body).parameters.values()
        parameters = [*own, *(p.of_signature() for p in POOL_PARAMETERS)]
        defaults = fitting_defaults(self.name, parameters, options)
        changed = [p.replace(default=defaults.get(p.name, p.default)) for p in parameters]
        check({p.name: p.default for p in changed if p.default is not _NEEDED})
        return sorted(changed, key=lambda p: p.default is not _NEEDED)

    def _function(
        self, make: Callable[[dict[str, Any]], Any], parameters: Sequence[inspect.Parameter]
    ) -> Callable[..., Any]:
        """Return a function with these parameters, for KFP to inspect."""
        own = inspect.signature(self.body)

        def pipeline(*given: Any) -> Any:
            return make(dict(zip((p.name for p in parameters), given, strict=True)))

        pipeline.__name__ = self.name
        pipeline.__doc__ = _documented(inspect.getdoc(self.body) or "")
        pipeline.__annotations__ = {p.name: p.annotation for p in parameters}
        pipeline.__annotations__["return"] = own.return_annotation
        pipeline.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return pipeline


def _run_settings(options: CompileOptions, name: str) -> dsl.PipelineConfig | None:
    """What Argo does with a whole run of a pipeline; None leaves it to the cluster.

    KFP's installation sets all three times (docs/decisions/0091-*.md), and the one for success or
    failure counts before that for any end.
    """
    deadline_s = options.run_deadline_s(name)
    if options.run_ttl_s is None and deadline_s is None:
        return None
    return dsl.PipelineConfig(
        ttl_seconds_after_finished=options.run_ttl_s,
        ttl_seconds_after_success=options.run_ttl_s,
        ttl_seconds_after_failure=options.run_ttl_s,
        active_deadline_seconds=deadline_s,
    )


def _documented(text: str) -> str:
    """Add the pools' parameters to a docstring, after its own."""
    before, returns, after = text.partition("\n\nReturns:")
    told = "".join(f"\n    {p.name}: {p.description}" for p in POOL_PARAMETERS)
    return f"{before}{told}{returns}{after}"
