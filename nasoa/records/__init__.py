"""Frozen records that cross steps, and their JSON form.

A record holds plain values only, so that it reads the same from a KFP parameter, from the store
and from a test. Accuracies are in [0, 1], times in seconds.
"""

from __future__ import annotations

from nasoa.records.collected import HIDDEN_KEY, RUN_KEY, CollectedRecord
from nasoa.records.json_form import from_json, to_json, to_sealed_json
from nasoa.records.recommendation import (
    BN_ALL,
    BN_FIXED,
    BN_TRAINED,
    FITTED,
    HEAD_ONLY,
    Candidate,
    Reason,
    Recommendation,
    Regime,
)
from nasoa.records.result import Experience, FailedRun, Outcome, TaskResult
from nasoa.records.search import ArchCosts, Evaluation
from nasoa.records.task import EnergyUse, MetaFeatures, Probe, Task
from nasoa.records.training import CurvePoint, EpochMetrics
from nasoa.records.zoo_entry import ZooEntry

__all__ = [
    "BN_ALL",
    "BN_FIXED",
    "BN_TRAINED",
    "FITTED",
    "HEAD_ONLY",
    "HIDDEN_KEY",
    "RUN_KEY",
    "ArchCosts",
    "Candidate",
    "CollectedRecord",
    "CurvePoint",
    "EnergyUse",
    "EpochMetrics",
    "Evaluation",
    "Experience",
    "FailedRun",
    "MetaFeatures",
    "Outcome",
    "Probe",
    "Reason",
    "Recommendation",
    "Regime",
    "Task",
    "TaskResult",
    "ZooEntry",
    "from_json",
    "to_json",
    "to_sealed_json",
]
