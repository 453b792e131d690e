"""A client of Kubeflow Pipelines that creates things exactly once and waits for runs."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import kfp
from kfp_server_api.exceptions import ApiException

from nasoa.errors import ClusterFailed, ClusterRefused, InvalidInput, RunFailed
from nasoa.pipelines.connection import Connection
from nasoa.pipelines.runs import ENDED, RunStatus, explained, read_run
from nasoa.pipelines.sdk import OLDEST_VERSION, Health, Sdk, too_old

logger = logging.getLogger(__name__)

T = TypeVar("T")

EXPERIMENT = "nasoa"
PAGE_SIZE = 100
POLL_S = 5.0
_IDS = {
    "runs": "run_id",
    "recurring_runs": "recurring_run_id",
    "experiments": "experiment_id",
    "pipelines": "pipeline_id",
    "pipeline_versions": "pipeline_version_id",
}
OUTAGE_S = 600.0  # tolerated while waiting: an upgrade of KFP can take this long


class Cluster:
    """Kubeflow Pipelines at a host.

    Args:
        connection: how to reach it.

    Raises:
        ClusterRefused: the host cannot be reached, is not KFP, is too old, or denies access.
        ClusterFailed: it fails or does not answer.
        InvalidInput: it serves several users, and no namespace is given.
    """

    def __init__(self, connection: Connection) -> None:
        self.host = connection.host
        self._patience = connection.patience
        with self.calling():
            self.sdk = Sdk(connection)
        self.health: Health = self.sdk.health
        numbers = self.health.numbers
        if numbers is not None and numbers < OLDEST_VERSION:
            raise too_old(self.host, self.health.version)
        self.namespace: str = self.sdk.get_user_namespace() or ""
        if self.health.multi_user and not self.namespace:
            raise InvalidInput(
                f"KFP at {self.host} serves several users; name your namespace with --namespace"
            )

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """Wrap a call of the SDK: hide what it prints, and report answers that it cannot read.

        Raises:
            ClusterFailed: the SDK cannot read the answer.
        """
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                yield
        except (ApiException, ValueError, TypeError, AttributeError, KeyError) as error:
            # The transport has already turned refusals into other errors: the SDK could not read
            # an answer.
            said = error.reason if isinstance(error, ApiException) else error
            raise ClusterFailed(
                f"KFP at {self.host} answered something that kfp {kfp.__version__} cannot read "
                f"({said}); compare the versions with nasoa doctor --cluster"
            ) from None

    def once(self, make: Callable[[], T], find: Callable[[], T | None]) -> T:
        """Create something once: if KFP fails while creating it, look for it before retrying.

        Args:
            make: asks KFP to create it.
            find: returns what an earlier attempt created after all, or None.
        """
        for pause_s in (*self._patience.pauses_s, None):
            try:
                with self.calling():
                    return make()
            except ClusterFailed:
                self._patience.wait(pause_s or 0.0)
                found = find()
                if found is not None:
                    return found
                if pause_s is None:
                    raise
        raise AssertionError("the last try returns or raises")

    def all(self, listing: Callable[..., Any], items: str, **arguments: Any) -> Iterator[Any]:
        """Yield everything that a call of the SDK lists, page by page.

        Args:
            listing: method of `sdk` that takes page_token and page_size.
            items: attribute of a page that holds the items.
            arguments: further arguments of the method.
        """
        token = ""
        while True:
            with self.calling():
                page = listing(page_token=token, page_size=PAGE_SIZE, **arguments)
                found = [identified(item, _IDS[items]) for item in getattr(page, items) or []]
                token = page.next_page_token or ""
            yield from found
            if not token:
                return

    def experiment_id(self, name: str) -> str:
        """Return the id of the experiment of that name; create the experiment if needed."""

        def make() -> str:
            made = self.sdk.create_experiment(name=name, namespace=self.namespace or None)
            return str(identified(made, "experiment_id").experiment_id)

        # The SDK looks for the experiment before it creates it, so the call can be repeated.
        return self.once(make, lambda: None)

    def run(
        self,
        package: Path,
        name: str,
        arguments: Mapping[str, Any],
        experiment: str = EXPERIMENT,
        service_account: str = "",
    ) -> RunStatus:
        """Start a run of a compiled pipeline, exactly once.

        Args:
            package: the compiled YAML.
            name: name of the pipeline; the name of the run starts with it.
            arguments: values of the parameters, of their types.
            experiment: experiment that groups the runs, created if needed.
            service_account: service account of the pods; empty for KFP's own.
        """
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        # A random suffix makes the name unique, so that a run that KFP started before it failed to
        # answer is found.
        unique = f"{name} {moment} {secrets.token_hex(3)}"
        group = self.experiment_id(experiment)

        def start() -> Any:
            return self.sdk.run_pipeline(
                experiment_id=group,
                job_name=unique,
                pipeline_package_path=str(package),
                params=dict(arguments),
                service_account=service_account or None,
            )

        def started() -> Any:
            listed = self.all(self.sdk.list_runs, "runs", experiment_id=group, filter=named(unique))
            return next(listed, None)

        made = self.once(start, started)
        with self.calling():
            return read_run(made, self.host)

    def status(self, run_id: str) -> RunStatus:
        """Return a run with its steps.

        Raises:
            ClusterRefused: no run has this id.
            InvalidInput: the id is empty.
        """
        if not run_id.strip():
            raise InvalidInput("expected the id of a run; nasoa pipeline list-runs lists them")
        try:
            with self.calling():
                found = read_run(self.sdk.get_run(run_id), self.host)
        except ClusterRefused as error:
            if error.status != 404:
                raise
            raise ClusterRefused(
                f"no run {run_id!r} at {self.host}; nasoa pipeline list-runs lists them", 404
            ) from None
        if found.state in ("FAILED", "CANCELED"):
            return explained(found, self._workflow(run_id))
        return found

    def _workflow(self, run_id: str) -> str:
        """Return the run's Argo workflow as JSON; empty if KFP does not return it.

        Only version 1 of the API has it, which KFP 2.17 still serves.
        """
        path = f"/apis/v1beta1/runs/{quote(run_id, safe='')}"
        try:
            with self.calling():
                detail = self.sdk.asked(path)
        except (ClusterFailed, ClusterRefused):
            return ""
        runtime = detail.get("pipeline_runtime")
        return str((runtime if isinstance(runtime, dict) else {}).get("workflow_manifest") or "")

    def spec_of_run(self, run_id: str) -> dict[str, Any]:
        """Return the compiled pipeline of a run; empty if KFP no longer provides it.

        A run has its own, or names the version that it was started from, never both (KFP 2.17.0,
        backend/src/apiserver/server/api_converter.go, toApiRun).
        """
        try:
            with self.calling():
                run = self.sdk.get_run(run_id)
            if run.pipeline_version_reference is not None:
                return self.spec_of_version(run.pipeline_version_reference)
        except ClusterRefused as error:
            if error.status not in (403, 404):
                raise
            logger.warning("the pipeline of the run %s is unknown: %s", run_id, error)
            return {}
        with self.calling():
            return _spec(run.pipeline_spec or {})

    def spec_of_version(self, reference: Any) -> dict[str, Any]:
        """Return the compiled pipeline of a version.

        Args:
            reference: ids of the pipeline and of the version.

        Raises:
            ClusterRefused: it does not exist, or the client is not allowed to read it.
        """
        with self.calling():
            version = self.sdk.get_pipeline_version(
                reference.pipeline_id, reference.pipeline_version_id
            )
            return _spec(version.pipeline_spec)

    def wait(
        self,
        run_id: str,
        *,
        poll_s: float = POLL_S,
        limit_s: float | None = None,
        report: Callable[[RunStatus], None] = lambda status: None,
    ) -> RunStatus:
        """Wait until a run has ended, in any state; tolerate outages of up to ten minutes.

        Args:
            run_id: id of the run.
            poll_s: seconds between two requests.
            limit_s: seconds after which to give up; the run continues.
            report: called with the status after each request.

        Raises:
            RunFailed: the run has not ended within `limit_s`.
        """
        started = last_seen = time.monotonic()
        while True:
            try:
                seen = self.status(run_id)
            except (ClusterFailed, ClusterRefused) as error:
                lasting = isinstance(error, ClusterRefused) and error.status is not None
                if lasting or time.monotonic() - last_seen > OUTAGE_S:
                    raise type(error)(f"{error}; the run {run_id} continues") from None
            else:
                last_seen = time.monotonic()
                report(seen)
                if seen.state in ENDED:
                    return seen
            left_s = poll_s if limit_s is None else limit_s - (time.monotonic() - started)
            if left_s <= 0:
                raise RunFailed(
                    f"the run {run_id} has not ended within {limit_s:g} s and continues; "
                    f"check it with nasoa pipeline status {run_id}"
                )
            self._patience.wait(min(poll_s, left_s))

    def list_runs(self, *, limit: int, experiment: str | None = None) -> list[RunStatus]:
        """Return the newest runs, newest first, without their steps."""
        within: dict[str, Any] = {"namespace": self.namespace or None}
        if experiment is not None:
            found = self.all(
                self.sdk.list_experiments,
                "experiments",
                namespace=self.namespace or None,
                filter=named(experiment),
            )
            group = next(found, None)
            if group is None:
                raise ClusterRefused(f"no experiment {experiment!r} at {self.host}")
            within = {"experiment_id": group.experiment_id}
        listed = self.all(self.sdk.list_runs, "runs", sort_by="created_at desc", **within)
        newest = list(islice(listed, limit))
        with self.calling():
            return [read_run(run, self.host) for run in newest]

    def cancel(self, run_id: str) -> RunStatus:
        """Stop a run; a run that is already cancelled stays as it is.

        Raises:
            ClusterRefused: the run has ended in another state, or no run has this id.
        """
        before = self.status(run_id)
        if before.state in ("CANCELED", "CANCELING"):
            return before
        if before.state in ENDED:
            raise ClusterRefused(
                f"the run {run_id} has ended ({before.state}) and cannot be stopped"
            )
        with self.calling():
            self.sdk.terminate_run(run_id)
        return self.status(run_id)


def identified(thing: T, attribute: str) -> T:
    """Return the object itself, if it has an id.

    Raises:
        ValueError: it has no id, so the answer is not from KFP.
    """
    if not getattr(thing, attribute):
        raise ValueError(f"an answer without {attribute}")
    return thing


def _spec(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pipeline alone, without the platform settings that it was compiled with."""
    return dict(document.get("pipeline_spec", document))


def named(name: str) -> str:
    """Return KFP's filter for objects with exactly this name."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})
