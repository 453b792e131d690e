"""Component: record a failed run; the last step of each pipeline, however the others ended."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def record_failure(
    store: str, run_id: str, pipeline: str, subject: str, status: dsl.PipelineTaskFinalStatus
) -> str:
    """Record a run that failed or was cancelled; return the record's key, empty for none."""
    from nasoa.steps import record_failure as step

    return step.record_failure(store, run_id, pipeline, subject, status.state, status.error_message)
