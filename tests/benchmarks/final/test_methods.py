"""Which methods there are for a zoo."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.final.methods import ONE_SHOT, one_shot, peers, series_of
from benchmarks.final.state import state_of
from nasoa.zoo.entries import packaged_zoo

ENTRIES = packaged_zoo().entries
SOME = {name: ENTRIES[name] for name in ("ET-NAS-A", "ET-NAS-B", "regnet_y_400mf")}


def test_series_are_torchvisions_or_families() -> None:
    assert series_of(SOME) == {"ET-NAS": ("ET-NAS-A", "ET-NAS-B"), "regnet": ("regnet_y_400mf",)}
    resnet = replace(ENTRIES["ET-NAS-A"], name="resnet18", family="own")
    assert series_of({"resnet18": resnet}) == {"resnet": ("resnet18",)}
    assert peers(SOME) == ("regnet_y_400mf",)


def test_every_model_of_the_package_is_in_one_series() -> None:
    found = [model for models in series_of(ENTRIES).values() for model in models]
    assert sorted(found) == sorted(ENTRIES)


def test_methods_of_a_zoo() -> None:
    found = {method.name: method for method in one_shot(ONE_SHOT, SOME)}
    assert list(found) == [
        "nasoa",
        "paper",
        "zoo",
        "average",
        "series:ET-NAS",
        "series:regnet",
        "default:ET-NAS-A",
        "default:ET-NAS-B",
        "default:regnet_y_400mf",
    ]
    assert found["series:ET-NAS"].models == ("ET-NAS-A", "ET-NAS-B")
    assert {name for name, method in found.items() if not method.predicts} == {
        name for name in found if name.startswith("default:")
    }


def test_peers_are_a_series_of_their_own_where_there_are_several() -> None:
    found = {method.name: method.models for method in one_shot(["series"], ENTRIES)}
    assert found["series:peers"] == peers(ENTRIES)
    assert not set(found["series:peers"]) & set(found["series:ET-NAS"])


def test_a_state_is_of_the_models_and_the_predictor() -> None:
    state = state_of(["ET-NAS-A", "ET-NAS-B"], predicts=False)
    assert state == state_of(["ET-NAS-B", "ET-NAS-A"], predicts=False)
    others = [
        state_of(["ET-NAS-A"], predicts=False),
        state_of(["ET-NAS-A", "ET-NAS-C"], predicts=False),
        state_of(["ET-NAS-A", "efficientnet-lite0"], predicts=False),
        state_of(["ET-NAS-A", "ET-NAS-B"], predicts=True),
    ]
    assert len({state, *others}) == 5
