"""The keys of objects in a store."""

from __future__ import annotations

from nasoa.store.protocol import check_name as _named

EXPERIENCES = "experience/"
QUARANTINE = f"{EXPERIENCES}quarantine/"
EXPERIENCE_BLOCKS = "experience/block/"
PREDICTORS = "predictor/"
TASKS = "task/"
CHECKPOINTS = "checkpoint/"
FAILURES = "failure/"
EXPLAINED_FAILURES = "failure/explained/"
SEARCHES = "search/"
ZOOS = "zoo/"
COLLECTIONS = "collection/"
STEP_TIMES = "step_time/"


def experience(task_id: str) -> str:
    """Key of the experience of a finished fine-tune."""
    return f"{EXPERIENCES}{_named(task_id)}.json"


def experience_block(number: int) -> str:
    """Key of a block of experiences."""
    return f"{EXPERIENCE_BLOCKS}{number:06d}.jsonl.gz"


def confusion(task_id: str) -> str:
    """Key of the confusion matrix of a task with many classes."""
    return f"{EXPERIENCES}confusion/{_named(task_id)}.json.gz"


def quarantined(task_id: str, digest: str) -> str:
    """Key of a damaged experience that was moved out of the log."""
    return f"{QUARANTINE}{_named(task_id)}-{_named(digest)}.json"


def task(task_id: str) -> str:
    """Key of a task: its request and meta-features."""
    return f"{TASKS}{_named(task_id)}/task.json"


def recommendation(task_id: str) -> str:
    """Key of the candidates that were recommended for a task, best first."""
    return f"{TASKS}{_named(task_id)}/recommendation.json"


def outcome(task_id: str) -> str:
    """Key of the outcome of a task, which is for operators."""
    return f"{TASKS}{_named(task_id)}/outcome.json"


def failure(run_id: str) -> str:
    """Key of the record of a failed pipeline run."""
    return f"{FAILURES}{_named(run_id)}.json"


def explained_failure(run_id: str) -> str:
    """Key of the record of a failed run whose own record says no reason."""
    return f"{EXPLAINED_FAILURES}{_named(run_id)}.json"


def checkpoint(task_id: str, iteration: int) -> str:
    """Key of a checkpoint of an unfinished fine-tune."""
    return f"{checkpoints(task_id)}{iteration:09d}.safetensors"


def checkpoints(task_id: str) -> str:
    """Prefix of a task's checkpoints."""
    return f"{CHECKPOINTS}{_named(task_id)}/"


def task_claims(task_id: str) -> str:
    """Prefix of the claims to work on a task."""
    return f"{TASKS}{_named(task_id)}/claim/"


def model(task_id: str) -> str:
    """Folder of a fine-tuned model."""
    return f"model/{_named(task_id)}"


def predictor(name: str, version: int, suffix: str) -> str:
    """Key of a version of a predictor; `suffix` is "safetensors" or "json"."""
    return f"{predictors(name)}v{version:06d}.{suffix}"


def predictors(name: str) -> str:
    """Prefix of a predictor's versions."""
    return f"{PREDICTORS}{_named(name)}/"


def history(name: str, number: int) -> str:
    """Key of a block of information about versions that thinning has deleted."""
    return f"{histories(name)}{number:06d}.jsonl.gz"


def histories(name: str) -> str:
    """Prefix of the information about versions that thinning has deleted."""
    return f"{predictors(name)}history/"


def newest_hint(name: str) -> str:
    """Key of a hint: the number of the newest version of a predictor, or of a recent one."""
    return f"{predictors(name)}newest"


def starter(name: str, number: int) -> str:
    """Key of a starter: the state that a predictor of this store starts from."""
    return f"{starters(name)}{number:06d}.safetensors"


def starters(name: str) -> str:
    """Prefix of the starters of a predictor."""
    return f"{predictors(name)}starter/"


def step_time(hardware: str, model_name: str, resolution: int, batch: int, frozen: int) -> str:
    """Key of a measured step time."""
    return f"{step_times(hardware)}{_named(model_name)}-{resolution}-{batch}-{frozen}.json"


def step_times(hardware: str) -> str:
    """Prefix of the step times of some hardware."""
    return f"{STEP_TIMES}{_named(hardware)}/"


def zoo(name: str, version: int) -> str:
    """Key of a version of a zoo: its entries."""
    return f"{zoos(name)}v{version:04d}/zoo.json"


def weights(sha256: str) -> str:
    """Key of the weights with a digest, of any zoo."""
    return f"{ZOOS}weights/{_named(sha256)}.safetensors"


def earlier_weights(name: str, version: int, model_name: str) -> str:
    """Key of a model's weights in a zoo version that was written by an earlier release."""
    return f"{zoos(name)}v{version:04d}/weights/{_named(model_name)}.safetensors"


def pretraining(zoo_name: str, architecture: str) -> str:
    """Prefix of a pretraining: its checkpoint, its epoch metrics and the claims to it."""
    return f"pretraining/{_named(zoo_name)}/{_named(architecture)}/"


def zoos(name: str) -> str:
    """Prefix of a zoo's versions."""
    return f"{ZOOS}{_named(name)}/"


def search(search_id: str) -> str:
    """Prefix of a search."""
    return f"{SEARCHES}{_named(search_id)}/"


def search_config(search_id: str) -> str:
    """Key of the configuration of a search."""
    return f"{search(search_id)}config.json"


def generations(search_id: str) -> str:
    """Prefix of a search's generations."""
    return f"{search(search_id)}generations/"


def generation(search_id: str, number: int) -> str:
    """Key of a generation: its architectures."""
    return f"{generations(search_id)}{number:04d}.json"


def evaluations(search_id: str) -> str:
    """Prefix of a search's evaluations."""
    return f"{search(search_id)}evaluations/"


def evaluation(search_id: str, architecture: str) -> str:
    """Key of the evaluation of the architecture with a hash."""
    return f"{evaluations(search_id)}{_named(architecture)}.json"


def costs(search_id: str) -> str:
    """Prefix of the costs that the parent node of a search measured."""
    return f"{search(search_id)}costs/"


def arch_costs(search_id: str, architecture: str) -> str:
    """Key of the costs of the architecture with a hash, measured by the parent node."""
    return f"{costs(search_id)}{_named(architecture)}.json"


def training(search_id: str, architecture: str) -> str:
    """Key of the checkpoint of an unfinished evaluation."""
    return f"{search(search_id)}checkpoints/{_named(architecture)}.safetensors"


def claims(search_id: str, architecture: str) -> str:
    """Prefix of the claims to evaluate an architecture."""
    return f"{search(search_id)}claims/{_named(architecture)}/"


def collection(name: str) -> str:
    """Prefix of the runs of a collection."""
    return f"{COLLECTIONS}{_named(name)}/runs/"


def collection_plan(name: str) -> str:
    """Key of the plan of a collection: what its runs are sampled from."""
    return f"{COLLECTIONS}{_named(name)}/plan.json"


def collected_run(name: str, number: int) -> str:
    """Key of the records of one collected run."""
    return f"{collection(name)}{number:06d}.json"
