"""The YAML file with a site's defaults for its pipelines (`nasoa pipeline compile --site`).

A site file can look like this:

    store: s3://nasoa
    image: registry.example/nasoa-gpu:0.1.0
    secret: nasoa-s3-{component}
    labels: {team: vision}           # labels of all pods
    alert_secret: nasoa-alerts       # with the address of a webhook for failed runs
    run_ttl: 24h                     # how long Kubernetes keeps a workflow that has ended
    parameters:                      # defaults for all pipelines with these parameters
      gpu_node_selector: {nasoa/pool: offline}
    pipelines:                       # defaults, queue, deadline and labels of one pipeline
      finetune_task:
        gpu_node_selector: {nasoa/pool: online}
        queue: tasks
        run_deadline: 2h
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.pod_labels import QUEUE_LABEL, check_labels
from nasoa.pipelines.yaml_files import documents


@dataclass(frozen=True, kw_only=True)
class Site:
    """The content of a site file.

    Args:
        texts: compile options by name, as text.
        parameters: parameter defaults for all pipelines, by name of the parameter.
        pipelines: parameter defaults for one pipeline, by its name in Python and the parameter's.
        labels: labels of all pods.
        labels_of, queues, deadlines: further labels, the Kueue queue, and the time after which a
            run is stopped, of one pipeline, by its name.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pipelines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    deadlines: Mapping[str, str] = field(default_factory=dict)


def read_site(path: Path, options: tuple[str, ...]) -> Site:
    """Read a site file.

    Args:
        path: path of the file.
        options: names of the compile options that it can set.

    Raises:
        InvalidInput: the file cannot be read, or does not have this form.
    """
    try:
        found, *others = documents(path.read_text(encoding="utf-8")) or [None]
    except OSError as error:
        raise InvalidInput(f"expected a site file, but {path}: {error.strerror or error}") from None
    except ValueError:  # `NotYaml`, or bytes that are not UTF-8
        raise InvalidInput(f"expected YAML in the site file {path}") from None
    if others:
        raise InvalidInput(f"expected one YAML document in the site file {path}")
    content = _mapping({} if found is None else found, f"the site file {path}")
    known = (*options, "labels", "parameters", "pipelines")
    for name in content:
        if name not in known:
            raise UnknownName(f"name in {path}", str(name), known)
    texts = {name: _text(content[name], name, path) for name in options if name in content}
    pipelines = {
        str(name).replace("-", "_"): dict(_mapping(given, f"pipelines.{name} in {path}"))
        for name, given in _mapping(content.get("pipelines", {}), f"pipelines in {path}").items()
    }
    queues, deadlines = (
        {
            name: _text(given.pop(option), f"pipelines.{name}.{option}", path)
            for name, given in pipelines.items()
            if option in given
        }
        for option in ("queue", "run_deadline")
    )
    for name, queue in queues.items():
        check_labels({QUEUE_LABEL: queue}, f"pipelines.{name}.queue in {path}")
    return Site(
        texts=texts,
        parameters=_mapping(content.get("parameters", {}), f"parameters in {path}"),
        labels=_labels(content.get("labels", {}), f"labels in {path}"),
        labels_of={
            name: _labels(given.pop("labels"), f"pipelines.{name}.labels in {path}")
            for name, given in pipelines.items()
            if "labels" in given
        },
        queues=queues,
        deadlines=deadlines,
        pipelines=pipelines,
    )


def _mapping(found: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise InvalidInput(f"expected a mapping of names for {where}, got {found!r}")
    return found


def _labels(found: Any, where: str) -> dict[str, str]:
    labels = _mapping(found, where)
    for name, value in labels.items():
        if not isinstance(value, str):
            raise InvalidInput(f"expected text for the label {name} in {where}, got {value!r}")
    check_labels(labels, where)
    return labels


def _text(found: Any, name: str, path: Path) -> str:
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise InvalidInput(f"expected text for {name} in {path}, got {found!r}")
    return str(found)
