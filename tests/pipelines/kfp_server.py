"""A fake of Kubeflow Pipelines with its v2beta1 API: it keeps state, but runs nothing."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import yaml

from tests.pipelines.argo_dumps import DUMPS, OF_STATE
from tests.pipelines.http_server import Answer, Fault, Request, answer
from tests.pipelines.kfp_api import Operation, operation, problems, spec_problems

ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")


class Refusal(Exception):
    """An error that KFP answers with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KfpServer:
    """The API server of KFP.

    Args:
        version: version that it reports; None for none.
        multi_user: whether each user has a namespace.
        token, cookie: without these it answers 401.
    """

    def __init__(
        self,
        version: str | None = "2.17.0",
        *,
        multi_user: bool = False,
        token: str | None = None,
        cookie: str | None = None,
    ) -> None:
        self.version, self.multi_user = version, multi_user
        self.token, self.cookie = token, cookie
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.workflows: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring_runs: dict[str, dict[str, Any]] = {}
        self.script: list[str] = []  # the states of a run, one for each request
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.violations: list[str] = []  # of the API, by either side
        self.most_firing: dict[str, int] = {}  # recurring runs of a name that fired at one time
        self._clock = datetime(2026, 1, 1, tzinfo=UTC)

    def handle(self, request: Request) -> Answer:
        try:
            self._authenticate(request)
            if request.path == "/apis/v2beta1/healthz":
                return answer(200, self._health())
            if request.path.startswith("/apis/v1beta1/runs/"):
                return answer(200, self._run_detail_v1(request.path.rsplit("/", 1)[-1]))
            found = operation(request.method, request.path)
            if found is None:
                raise Refusal(404, "Not Found")
            op, values = found
            body = self._body(op, request)
            document = getattr(self, f"_{op.name}")(request.query, body, *values)
        except Refusal as error:
            code = {401: 16, 403: 7, 404: 5, 409: 6}.get(error.status, 3)
            return answer(
                error.status,
                {"error": str(error), "code": code, "message": str(error), "details": []},
            )
        self.violations += [f"answer to {op.name}: {p}" for p in problems(document, op.response)]
        for name in {job["display_name"] for job in self.recurring_runs.values()}:
            firing = len(self.firing(name))
            self.most_firing[name] = max(firing, self.most_firing.get(name, 0))
        return answer(200, document)

    def firing(self, name: str) -> list[dict[str, Any]]:
        return [
            job
            for job in self.recurring_runs.values()
            if job["display_name"] == name and job["status"] == "ENABLED"
        ]

    def _authenticate(self, request: Request) -> None:
        given = request.headers
        if self.token is not None and given.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "Unauthenticated request")
        if self.cookie is not None and given.get("cookie") != self.cookie:
            raise Refusal(401, "Unauthenticated request")

    def _health(self) -> dict[str, Any]:
        version = {} if self.version is None else {"tag_name": self.version}
        return {"commit_sha": "0" * 40, "multi_user": self.multi_user, **version}

    def _body(self, op: Operation, request: Request) -> Any:
        wrong = [f"query has {key!r}" for key in request.query if key not in op.query]
        body = None
        if op.file is not None:
            body = _uploaded(request, op.file)
            wrong += [p for spec in body[:1] for p in spec_problems(spec, "$file")]
        elif op.body is not None:
            body = json.loads(request.body)
            wrong += problems(body, op.body)
        if wrong:
            self.violations += [f"request {op.name}: {p}" for p in wrong]
            raise Refusal(400, "; ".join(wrong))
        namespace = request.query.get("namespace") or (
            body.get("namespace") if isinstance(body, dict) else None
        )
        if namespace and not self.multi_user:
            raise Refusal(400, "In single-user mode, a namespace cannot be given")
        return body

    def _now(self) -> str:
        self._clock += timedelta(seconds=1)
        return self._clock.isoformat().replace("+00:00", "Z")

    def _get(self, kind: str, things: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
        if key not in things:
            raise Refusal(404, f"{kind} {key} not found")
        return things[key]

    def _list(self, things: Any, query: dict[str, str], name: str) -> dict[str, Any]:
        found = [thing for thing in things if _fits(thing, query.get("filter"))]
        if query.get("sort_by"):
            key, _, order = query["sort_by"].partition(" ")
            found.sort(key=lambda t: t[key], reverse=order == "desc")
        start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 10)
        page: dict[str, Any] = {name: found[start : start + size]} if found else {}
        if start + size < len(found):
            page["next_page_token"] = str(start + size)
        return page

    # Experiments

    def _experiment_service_list_experiments(self, query: dict[str, str], body: None) -> Any:
        return self._list(self.experiments.values(), query, "experiments")

    def _experiment_service_create_experiment(self, query: dict[str, str], body: Any) -> Any:
        if any(e["display_name"] == body["display_name"] for e in self.experiments.values()):
            raise Refusal(409, f"experiment {body['display_name']} already exists")
        made = {**body, "experiment_id": str(uuid.uuid4()), "created_at": self._now()}
        self.experiments[made["experiment_id"]] = made
        return made

    # Pipelines

    def _pipeline_service_list_pipelines(self, query: dict[str, str], body: None) -> Any:
        return self._list(self.pipelines.values(), query, "pipelines")

    def _upload_pipeline(self, query: dict[str, str], body: list[Any]) -> Any:
        name = query["name"]
        if any(p["display_name"] == name for p in self.pipelines.values()):
            raise Refusal(409, f"pipeline {name} already exists")
        made = {
            "pipeline_id": str(uuid.uuid4()),
            "name": name,
            "display_name": name,
            "description": query.get("description", ""),
            "created_at": self._now(),
        }
        self.pipelines[made["pipeline_id"]] = made
        self._add_version(made["pipeline_id"], name, "", body)
        return made

    def _upload_pipeline_version(self, query: dict[str, str], body: list[Any]) -> Any:
        self._get("pipeline", self.pipelines, query["pipelineid"])
        return self._add_version(
            query["pipelineid"], query["name"], query.get("description", ""), body
        )

    def _add_version(self, pipeline_id: str, name: str, text: str, body: list[Any]) -> Any:
        there = [v for v in self.versions.values() if v["pipeline_id"] == pipeline_id]
        if any(version["name"] == name for version in there):
            raise Refusal(409, f"version {name} already exists")
        made = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "name": name,
            "display_name": name,
            "description": text,
            "created_at": self._now(),
            "pipeline_spec": body[0],
        }
        self.versions[made["pipeline_version_id"]] = made
        return made

    def _pipeline_service_list_pipeline_versions(
        self, query: dict[str, str], body: None, pipeline_id: str
    ) -> Any:
        self._get("pipeline", self.pipelines, pipeline_id)
        mine = [v for v in self.versions.values() if v["pipeline_id"] == pipeline_id]
        return self._list(mine, query, "pipeline_versions")

    def _pipeline_service_get_pipeline_version(
        self, query: dict[str, str], body: None, pipeline_id: str, key: str
    ) -> Any:
        found = self._get("version", self.versions, key)
        if found["pipeline_id"] != pipeline_id:
            raise Refusal(404, f"version {key} not found")
        return found

    # Runs

    def _run_service_create_run(self, query: dict[str, str], body: Any) -> Any:
        self._get("experiment", self.experiments, body["experiment_id"])
        self._check_parameters(body["pipeline_spec"], body)
        made = {
            **body,
            "run_id": str(uuid.uuid4()),
            "created_at": self._now(),
            "finished_at": "1970-01-01T00:00:00Z",
            "state": "PENDING",
        }
        self.runs[made["run_id"]] = made
        return made

    def _check_parameters(self, document: Any, body: Any) -> None:
        spec = document.get("pipeline_spec", document)
        inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        given = body.get("runtime_config", {}).get("parameters", {})
        for name in given:
            if name not in inputs:
                raise Refusal(400, f"unknown parameter {name}")
        for name, definition in inputs.items():
            if not definition.get("isOptional") and name not in given:
                raise Refusal(400, f"parameter {name} is not given")

    def _run_service_get_run(self, query: dict[str, str], body: None, run_id: str) -> Any:
        run = self._get("run", self.runs, run_id)
        if self.script and run["state"] not in ENDED:
            self.advance(run_id, self.script.pop(0))
        return run

    def advance(self, run_id: str, state: str, dump: str = "") -> None:
        """Put a run into a state, with the nodes that Argo would have.

        Args:
            run_id: id of the run.
            state: KFP's state.
            dump: name in `DUMPS`; by default one that fits the state.
        """
        run = self.runs[run_id]
        run["state"] = state
        if state in ENDED:
            run["finished_at"] = self._now()
        nodes = DUMPS[dump or OF_STATE.get(state, "succeeded")]()
        self.workflows[run_id] = nodes.manifest
        run["run_details"] = {"task_details": nodes.task_details(run_id)}

    def _run_detail_v1(self, run_id: str) -> dict[str, Any]:
        run = self._get("run", self.runs, run_id)
        return {
            "run": {"id": run["run_id"], "name": run["display_name"]},
            "pipeline_runtime": {"workflow_manifest": self.workflows.get(run_id, "")},
        }

    def _run_service_list_runs(self, query: dict[str, str], body: None) -> Any:
        within = query.get("experiment_id")
        mine = [r for r in self.runs.values() if not within or r["experiment_id"] == within]
        return self._list(mine, query, "runs")

    def _run_service_terminate_run(self, query: dict[str, str], body: None, run_id: str) -> Any:
        run = self._get("run", self.runs, run_id)
        if run["state"] in ENDED:
            raise Refusal(400, "the run has ended")
        run["state"] = "CANCELING"
        return {}

    # Recurring runs

    def _recurring_run_service_create_recurring_run(self, query: dict[str, str], body: Any) -> Any:
        self._get("experiment", self.experiments, body["experiment_id"])
        reference = body["pipeline_version_reference"]
        version = self._get("version", self.versions, reference["pipeline_version_id"])
        self._check_parameters(version["pipeline_spec"], body)
        cron = body["trigger"]["cron_schedule"]["cron"]
        if len(cron.split()) != 6 or "7" in cron.split()[5]:
            raise Refusal(400, "Schedule cron is not a supported format")
        if not 1 <= int(body["max_concurrency"]) <= 10:
            raise Refusal(400, "Max concurrency must be at least 1 and at most 10")
        made = {
            **body,
            "recurring_run_id": str(uuid.uuid4()),
            "created_at": self._now(),
            "status": {"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[body["mode"]],
            "max_concurrency": str(body["max_concurrency"]),
        }
        self.recurring_runs[made["recurring_run_id"]] = made
        return made

    def _recurring_run_service_list_recurring_runs(self, query: dict[str, str], body: None) -> Any:
        return self._list(self.recurring_runs.values(), query, "recurringRuns")

    def _recurring_run_service_enable_recurring_run(
        self, query: dict[str, str], body: None, key: str
    ) -> Any:
        self._get("recurring run", self.recurring_runs, key).update(status="ENABLED", mode="ENABLE")
        return {}

    def _recurring_run_service_disable_recurring_run(
        self, query: dict[str, str], body: None, key: str
    ) -> Any:
        job = self._get("recurring run", self.recurring_runs, key)
        job.update(status="DISABLED", mode="DISABLE")
        return {}

    def _recurring_run_service_delete_recurring_run(
        self, query: dict[str, str], body: None, key: str
    ) -> Any:
        self._get("recurring run", self.recurring_runs, key)
        del self.recurring_runs[key]
        return {}


def _fits(thing: dict[str, Any], text: str | None) -> bool:
    for predicate in json.loads(text)["predicates"] if text else []:
        if predicate["operation"] not in (1, "EQUALS"):
            raise Refusal(400, "only EQUALS is used")
        if thing.get(predicate["key"]) != predicate["stringValue"]:
            return False
    return True


def _uploaded(request: Request, name: str) -> list[Any]:
    """Return the documents of the YAML file in a form."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    for part in BytesParser(policy=HTTP).parsebytes(head + request.body).iter_parts():
        if part.get_param("name", header="content-disposition") == name:
            if not re.fullmatch(r".+\.(yaml|yml|zip|tar\.gz)", part.get_filename() or ""):
                raise Refusal(400, "Unexpected pipeline file format")
            return list(yaml.safe_load_all(part.get_payload(decode=True)))
    raise Refusal(400, f"no file {name!r} in the form")
