"""Where things lie in a store."""

from __future__ import annotations

from nasoa.store.protocol import check_name as _named

EXPERIENCES = "experience/"
QUARANTINE = f"{EXPERIENCES}quarantine/"
EXPERIENCE_BLOCKS = "experience/block/"
PREDICTORS = "predictor/"
TASKS = "task/"
CHECKPOINTS = "checkpoint/"
FAILURES = "failure/"
SEARCHES = "search/"
ZOOS = "zoo/"
COLLECTIONS = "collection/"
ZOOS = "zoo/"


def experience(task_id: str) -> str:
    """One finished fine-tune."""
    return f"{EXPERIENCES}{_named(task_id)}.json"


def experience_block(number: int) -> str:
    """Many finished fine-tunes in one object."""
    return f"{EXPERIENCE_BLOCKS}{number:06d}.jsonl.gz"


def confusion(task_id: str) -> str:
    """The confusion matrix of a task with many classes."""
    return f"{EXPERIENCES}confusion/{_named(task_id)}.json.gz"


def quarantined(task_id: str, digest: str) -> str:
    """What was found in the place of an experience and cannot be read."""
    return f"{QUARANTINE}{_named(task_id)}-{_named(digest)}.json"


def task(task_id: str) -> str:
    """A request and its meta-features."""
    return f"{TASKS}{_named(task_id)}/task.json"


def recommendation(task_id: str) -> str:
    """The regimes that were offered for a task, best first."""
    return f"{TASKS}{_named(task_id)}/recommendation.json"


def outcome(task_id: str) -> str:
    """What came of a task, for whoever operates the store."""
    return f"{TASKS}{_named(task_id)}/outcome.json"


def failure(run_id: str) -> str:
    """A run of a pipeline that failed."""
    return f"{FAILURES}{_named(run_id)}.json"


def checkpoint(task_id: str, iteration: int) -> str:
    """The state of an unfinished fine-tune."""
    return f"{checkpoints(task_id)}{iteration:09d}.safetensors"


def checkpoints(task_id: str) -> str:
    """The prefix of a task's checkpoints."""
    return f"{CHECKPOINTS}{_named(task_id)}/"


def task_claims(task_id: str) -> str:
    """The prefix of the claims to work on a task."""
    return f"{TASKS}{_named(task_id)}/claim/"


def model(task_id: str) -> str:
    """The folder of a fine-tuned model."""
    return f"model/{_named(task_id)}"


def predictor(name: str, version: int, suffix: str) -> str:
    """A version of a predictor; `suffix` is "safetensors" or "json"."""
    return f"{predictors(name)}v{version:06d}.{suffix}"


def predictors(name: str) -> str:
    """The prefix of a predictor's versions."""
    return f"{PREDICTORS}{_named(name)}/"


def history(name: str, number: int) -> str:
    """What many versions that are not kept any more said of themselves."""
    return f"{histories(name)}{number:06d}.jsonl.gz"


def histories(name: str) -> str:
    """The prefix of what versions that are not kept any more said of themselves."""
    return f"{predictors(name)}history/"


def newest_hint(name: str) -> str:
    """A number that the newest version of a predictor has, or had a moment ago."""
    return f"{predictors(name)}newest"


def starter(name: str, number: int) -> str:
    """What a predictor of this store starts from."""
    return f"{starters(name)}{number:06d}.safetensors"


def starters(name: str) -> str:
    """The prefix of what a predictor of this store starts from."""
    return f"{predictors(name)}starter/"


def step_time(hardware: str, model_name: str, resolution: int, batch: int, frozen: int) -> str:
    """A measured step time."""
    return f"{step_times(hardware)}{_named(model_name)}-{resolution}-{batch}-{frozen}.json"


def step_times(hardware: str) -> str:
    """The prefix of the step times of some hardware."""
    return f"step_time/{_named(hardware)}/"


def zoo(name: str, version: int) -> str:
    """A version of a zoo: its entries."""
    return f"{zoos(name)}v{version:04d}/zoo.json"


def weights(sha256: str) -> str:
    """The weights with this digest, of any zoo."""
    return f"{ZOOS}weights/{_named(sha256)}.safetensors"


def earlier_weights(name: str, version: int, model_name: str) -> str:
    """The weights of a model of a version of a zoo, where an earlier release wrote it."""
    return f"{zoos(name)}v{version:04d}/weights/{_named(model_name)}.safetensors"


def pretraining(zoo_name: str, architecture: str) -> str:
    """The prefix of an unfinished pretraining: its state, and the claims to it."""
    return f"pretraining/{_named(zoo_name)}/{_named(architecture)}/"


def zoos(name: str) -> str:
    """The prefix of a zoo's versions."""
    return f"{ZOOS}{_named(name)}/"


def search(search_id: str) -> str:
    """The prefix of a search."""
    return f"{SEARCHES}{_named(search_id)}/"


def search_config(search_id: str) -> str:
    """What a search looks for, and how."""
    return f"{search(search_id)}config.json"


def generations(search_id: str) -> str:
    """The prefix of a search's generations."""
    return f"{search(search_id)}generations/"


def generation(search_id: str, number: int) -> str:
    """The architectures of a generation."""
    return f"{generations(search_id)}{number:04d}.json"


def evaluations(search_id: str) -> str:
    """The prefix of a search's evaluations."""
    return f"{search(search_id)}evaluations/"


def evaluation(search_id: str, architecture: str) -> str:
    """What was found of the architecture with this hash."""
    return f"{evaluations(search_id)}{_named(architecture)}.json"


def costs(search_id: str) -> str:
    """The prefix of what the parent node of a search measured."""
    return f"{search(search_id)}costs/"


def arch_costs(search_id: str, architecture: str) -> str:
    """The costs that the parent node measured of the architecture with this hash."""
    return f"{costs(search_id)}{_named(architecture)}.json"


def training(search_id: str, architecture: str) -> str:
    """The state of an unfinished evaluation."""
    return f"{search(search_id)}checkpoints/{_named(architecture)}.safetensors"


def claims(search_id: str, architecture: str) -> str:
    """The prefix of the claims to evaluate an architecture."""
    return f"{search(search_id)}claims/{_named(architecture)}/"


def collection(name: str) -> str:
    """The prefix of the runs of a collection of known fine-tunes."""
    return f"{COLLECTIONS}{_named(name)}/runs/"


def collection_plan(name: str) -> str:
    """What the runs of a collection are drawn from."""
    return f"{COLLECTIONS}{_named(name)}/plan.json"


def collected_run(name: str, number: int) -> str:
    """The records of one run."""
    return f"{collection(name)}{number:06d}.json"
