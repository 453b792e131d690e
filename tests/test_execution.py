"""Nothing that comes from outside is executed: the source calls nothing that would."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("nasoa", "components", "pipelines", "scripts", "examples")
# What this process has exported a moment before, to compare its answers.
OWN = {
    ("nasoa/online/tuning/exported_model.py", "torch.jit.load"),
    ("nasoa/cli/completion.py", "shtab.complete with a shell"),  # the name of one, to print for
}
# Calls by the last parts of their name: `import pickle` alone is harmless, for its errors.
FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "marshal.loads",
    "joblib.load",
    "dill.loads",
    "shelve.open",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "np.load",
    "numpy.load",
    "torch.jit.load",
    "torch.hub.load",
    "os.system",
    "os.popen",
}
# With an argument that makes them safe.
GUARDED = {"torch.load": ("weights_only", True), "Image.open": ("formats", None)}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the name of what is called, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def problems(source: str) -> list[str]:
    found = []
    for name, call in calls(ast.parse(source)):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if name in FORBIDDEN:
            found.append(f"line {call.lineno}: {name}")
        if name in GUARDED:
            argument, value = GUARDED[name]
            given = keywords.get(argument)
            is_right = isinstance(given, ast.Constant) and given.value == value
            if given is None or not (value is None or is_right):
                found.append(f"line {call.lineno}: {name} without {argument}")
        shell = keywords.get("shell")
        if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
            found.append(f"line {call.lineno}: {name} with a shell")
        if name.endswith("create_model") and "scriptable" in keywords:
            found.append(f"line {call.lineno}: {name}")
    return found


def test_the_source_executes_nothing_from_outside() -> None:
    files = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = {
        f"{path.relative_to(ROOT)}: {problem}"
        for path in files
        for problem in problems(path.read_text(encoding="utf-8"))
        if (str(path.relative_to(ROOT)), problem.partition(": ")[2]) not in OWN
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "pickle.loads(b)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "torch.load(p, weights_only=flag)",
        "np.load(p, allow_pickle=True)",
        "subprocess.run(c, shell=True)",
        "subprocess.run(c, shell=flag)",
        "Image.open(f)",
        "eval(text)",
    ],
)
def test_what_would_is_found(source: str) -> None:
    assert len(problems(source)) == 1
