"""Record how a run failed; a pipeline's last step, whatever became of the others."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def record_failure(
    store: str, run_id: str, pipeline: str, subject: str, status: dsl.PipelineTaskFinalStatus
) -> str:
    """Write a record of a run that failed or was cancelled; returns its key, empty for none."""
    from nasoa.steps import record_failure as step

    return step.record_failure(store, run_id, pipeline, subject, status.state, status.error_message)
