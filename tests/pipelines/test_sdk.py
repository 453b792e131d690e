"""What the pipelines rely on in kfp: only public names, and a client that behaves like 2.17's.

If one of these tests fails with a new version of kfp, change nasoa/pipelines/sdk.py, or the version
range of kfp in pyproject.toml.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import kfp
import pytest

from nasoa.errors import InvalidInput
from nasoa.pipelines import sdk
from nasoa.pipelines.connection import Connection
from nasoa.pipelines.sdk import REQUIREMENT, Sdk
from nasoa.pipelines.transport import PatientRest
from tests.pipelines.http_server import serving
from tests.pipelines.kfp_server import KfpServer

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("pipelines", "components") for path in (ROOT / folder).glob("*.py")]
VERSION = f"kfp {kfp.__version__} is installed; see the head of {__name__}"

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def foreign_private_attributes(source: str) -> Iterator[str]:
    """Yield attributes with a leading underscore that the file reads but does not define."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    defined = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    defined |= {
        n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    }
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            is_dunder = node.attr.startswith("__") and node.attr.endswith("__")
            if not is_dunder and node.attr not in defined:
                yield f"line {node.lineno}: {node.attr}"


def test_the_search_for_private_attributes_finds_them() -> None:
    source = (
        "class A:\n    def f(self):\n        self._own = client._run_api\n        self._own.x()\n"
    )
    assert list(foreign_private_attributes(source)) == ["line 3: _run_api"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_private_attribute_of_a_library_is_used(path: Path) -> None:
    assert list(foreign_private_attributes(path.read_text(encoding="utf-8"))) == []


def test_all_services_of_the_client_send_through_our_transport(
    host: str, kfp: KfpServer, home: Path
) -> None:
    client = Sdk(Connection(host=host))
    assert [r.path for r in kfp.requests] == ["/apis/v2beta1/healthz"], VERSION
    services = ("runs", "recurring_runs", "experiments", "pipelines", "pipeline_uploads")
    apis = [getattr(client, service).api_client for service in services]
    assert all(api is apis[0] for api in apis), VERSION
    assert isinstance(apis[0].rest_client, PatientRest)
    client.list_runs()
    client.list_experiments()
    client.list_pipelines()
    client.list_recurring_runs()
    paths = [r.path.split("?")[0] for r in kfp.requests[1:]]
    assert paths == [
        f"/apis/v2beta1/{s}" for s in ("runs", "experiments", "pipelines", "recurringruns")
    ]
    assert list(home.iterdir()) == []


def test_the_namespace_of_a_pod_is_taken_where_none_is_given(
    kfp: KfpServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.multi_user = True
    mounted = home / "namespace"
    mounted.write_text("ada\n")
    monkeypatch.setattr(sdk, "POD_NAMESPACE", mounted)
    with serving(kfp) as host:
        assert Sdk(Connection(host=host)).get_user_namespace() == "ada"
        given = Sdk(Connection(host=host, namespace="grace"))
        assert given.get_user_namespace() == "grace"
        given.create_experiment("one")
        assert [e["namespace"] for e in kfp.experiments.values()] == ["grace"]
        mounted.unlink()
        assert Sdk(Connection(host=host)).get_user_namespace() == ""


def test_a_kfp_of_another_form_is_refused_with_what_to_install() -> None:
    with pytest.raises(InvalidInput, match=r"pip install 'kfp>=2\.17,<3'") as raised:
        sdk._shared_api_client(object())
    assert kfp.__version__ in str(raised.value)


def test_the_message_names_the_range_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert REQUIREMENT in project["dependencies"]
