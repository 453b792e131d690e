"""Write what others need to use a component without this package: `components/published`.

    python -m scripts.publish_components     writes the folder anew

Each component has a folder with component.yaml (compiled), README.md, and metadata.yaml in the form
of kubeflow/pipelines-components.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docstring_parser
import yaml
from kfp.compiler import Compiler

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "components" / "published"
# When the components were last run with the version of KFP that they name.
LAST_VERIFIED = "2026-11-29T00:00:00Z"
KFP = ">=2.17.0"
# By name: what it is for in a word or two, and the pool that it needs.
COMPONENTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "compute_meta_features": (("fine_tuning", "meta_learning"), "gpu"),
    "predict_regime": (("fine_tuning", "meta_learning"), "light"),
    "finetune": (("fine_tuning", "training"), "gpu"),
    "update_predictor": (("fine_tuning", "meta_learning"), "light"),
    "nsga_select": (("architecture_search", "nsga2"), "light"),
    "encode_and_build": (("architecture_search", "benchmarking"), "gpu"),
    "evaluate_arch": (("architecture_search", "training"), "gpu"),
    "pretrain_zoo": (("model_zoo", "training"), "gpu"),
}
FILES = ("component.yaml", "README.md", "metadata.yaml")


def component(name: str) -> Any:
    """The component of that name, as KFP has it."""
    return getattr(importlib.import_module(f"nasoa.components.{name}"), name)


def published(name: str) -> dict[str, str]:
    """The files of a component, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "component.yaml"
        Compiler().compile(component(name), str(path))
        compiled = path.read_text(encoding="utf-8")
    return {
        "component.yaml": compiled,
        "README.md": _readme(name),
        "metadata.yaml": _metadata(name),
    }


def _metadata(name: str) -> str:
    document = {
        "name": name,
        "stability": "alpha",
        "dependencies": {
            "kubeflow": [{"name": "Pipelines", "version": KFP}],
            "external_services": [{"name": "SeaweedFS", "version": ">=4.48.0"}],
        },
        "tags": ["image_classification", *COMPONENTS[name][0]],
    }
    text = yaml.safe_dump(document, sort_keys=False)
    # As a time and not as text, which safe_dump would quote.
    return f"---\n{text}lastVerified: {LAST_VERIFIED}\n"


def _readme(name: str) -> str:
    described = component(name)
    told = docstring_parser.parse(inspect.getdoc(described.python_func) or "")
    texts = {param.arg_name: _line(param.description) for param in told.params}
    about = "\n\n".join(filter(None, (told.short_description, told.long_description)))
    returned = _line(told.returns.description) if told.returns else ""
    return "\n".join(
        [
            f"# {name}",
            "",
            about,
            "",
            "## Inputs",
            "",
            "| parameter | type | default | |",
            "| --- | --- | --- | --- |",
            *_inputs(described, texts),
            "",
            "## Outputs",
            "",
            "| name | type | |",
            "| --- | --- | --- |",
            *_outputs(described, texts, returned),
            "",
            *_usage(name),
        ]
    )


def _inputs(described: Any, texts: Mapping[str, str]) -> Iterator[str]:
    for name, spec in (described.component_spec.inputs or {}).items():
        default = f"`{spec.default!r}`" if spec.optional else "required"
        yield f"| `{name}` | {_kind(spec.type)} | {default} | {texts[name]} |"


def _outputs(described: Any, texts: Mapping[str, str], returned: str) -> Iterator[str]:
    for name, spec in (described.component_spec.outputs or {}).items():
        text = returned if name == "Output" else texts[name]
        yield f"| `{name}` | {_kind(spec.type)} | {text} |"


def _kind(name: str) -> str:
    """`system.Model@0.0.1` is a Model, `typing.List[str]` a List[str]."""
    return name.removeprefix("system.").removeprefix("typing.").partition("@")[0]


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _usage(name: str) -> list[str]:
    pool = COMPONENTS[name][1]
    where = (
        "It trains or measures, so give it the hardware that is meant: an accelerator, CPUs and "
        "memory,\nand a memory-backed volume at `/dev/shm`."
        if pool == "gpu"
        else "It only reads and writes the store: half a CPU and 1 Gi of memory are enough."
    )
    return [
        "## Use",
        "",
        "```python",
        "from kfp import components",
        "",
        f'{name} = components.load_component_from_file("component.yaml")',
        "```",
        "",
        "- The image is nasoa's own, as `make image` builds it: name the one that you have pushed",
        "  with `task.set_container_image(...)`.",
        "- A store on S3 needs NASOA_S3_ENDPOINT, NASOA_S3_ACCESS_KEY_ID and",
        "  NASOA_S3_SECRET_ACCESS_KEY in the environment: `kubernetes.use_secret_as_env`.",
        "- It depends on what is in the store: `task.set_caching_options(False)`.",
        f"- {where}".replace("\n", "\n  "),
        "",
        "[examples/own_pipeline.py](../../../examples/own_pipeline.py) composes two components",
        "into a pipeline, with all of this.",
        "",
    ]


def main() -> int:
    """Write all files."""
    for name in COMPONENTS:
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in published(name).items():
            (folder / file).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
