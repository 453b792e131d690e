"""torchvision is imported without torch's compiler, which remains usable."""

import subprocess
import sys

import pytest

BUILD = """
import sys
import torch
from nasoa.torchvision_import import import_torchvision
models = import_torchvision("torchvision.models")
models.get_model("mobilenet_v3_small", weights=None, num_classes=3)(torch.zeros(2, 3, 32, 32))
print([name for name in sys.modules if name.startswith(("sympy", "torch._dynamo"))])
"""
USE = """
from torchvision.ops import roi_align
import torchvision
print(tuple(roi_align(torch.ones(1, 2, 8, 8), torch.tensor([[0, 0, 0, 4.0, 4.0]]), 2).shape))
module = sys.modules["torchvision.ops.roi_align"]
print(module.is_compile_supported("cpu"), type(sys.modules["torch._dynamo.utils"]).__name__)
print(import_torchvision("torchvision.ops") is torchvision.ops)
"""
ASK = """
import sys
import nasoa.torchvision_import as under_test
stand_ins = {name: under_test._ImportedLater(name) for name in under_test.COMPILER}
sys.modules.update(stand_ins)
from torch._dynamo.utils import counters
import torch._dynamo
print(type(counters).__name__, type(sys.modules["torch._dynamo"]).__name__)
"""


def output(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_classifier_needs_no_compiler() -> None:
    pytest.importorskip("torchvision")
    assert output(BUILD) == ["[]"]


@pytest.mark.slow
def test_what_needs_the_compiler_still_gets_it() -> None:
    pytest.importorskip("torchvision")
    assert output(BUILD + USE) == ["[]", "(1, 2, 2, 2)", "True module", "True"]


@pytest.mark.slow
def test_another_name_of_the_compiler_is_the_real_one() -> None:
    assert output(ASK) == ["defaultdict module"]
