"""The oracle finds each fault that a case can have, and names the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.fuzz import kinds
from tests.fuzz.of_faulty import FAULTS, KIND
from tests.fuzz.running import Child, Result

# Fault -> what is told of it.
TOLD = {
    "another error": "KeyError: 'x'",
    "not even an exception": "SystemExit: 3",
    "control characters": "control characters ['\\x1b'] in the message",
    "two lines": "control characters ['\\n'] in the message",
    "nothing said": "an empty message",
    "a long line": "a message of 30000 characters",
    "a warning": "UserWarning: old",
    "printed": "written to standard error: b'libtiff: warning'",
    "a file left": "left behind: ",
    "time": "s of processor time",
    "memory": "MB of memory",
    "memory that is not there": "it asked for memory that it did not get",
    "killed": "the process ended with SIGSEGV",
    "ended": "the process ended with 7",
    "hangs": "still running after 6 s",
}


@pytest.mark.slow
def test_every_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_FUZZ_CPU_S", "1.5")
    seeds: dict[str, int] = {}
    for seed in range(1000):
        seeds.setdefault(kinds.make(KIND, "faulty", seed), seed)
    assert set(seeds) == set(FAULTS) == {"accepted", "refused", *TOLD}
    with Child(hangs_s=6.0) as child:
        for fault, seed in seeds.items():
            result = Result()

            def add(_name: str, answer: Mapping[str, Any], result: Result = result) -> None:
                result.add(answer)

            child.run("faulty", seed, 1, add)
            assert result.cases == 1
            if fault not in TOLD:
                assert result.faults == {}
                assert (result.accepted, result.refused) == (
                    fault == "accepted",
                    fault == "refused",
                )
                continue
            assert (result.accepted, result.refused) == (0, 0), fault
            ((found, text),) = result.faults.values()
            assert found == seed
            assert TOLD[fault] in text, fault


def test_cases_before_one_that_ends_the_process_are_counted() -> None:
    seed = next(s for s in range(1000) if _name(s) == "killed" and _name(s - 1) in FAULTS_AT_ONCE)
    results: list[Mapping[str, Any]] = []
    with Child(hangs_s=6.0) as child:
        child.run("faulty", seed - 1, 2, lambda _name, answer: results.append(answer))
    whole = Result()
    for answer in results:
        whole.add(answer)
    assert whole.cases == 2
    assert whole.keys == {"the process ended with SIGSEGV": 1}


FAULTS_AT_ONCE = ("accepted", "refused")


def _name(seed: int) -> str:
    name: str = kinds.make(KIND, "faulty", seed)
    return name
