"""`import nasoa` costs next to nothing, as everything is imported when it is used."""

from __future__ import annotations

import statistics
import subprocess
import sys

MOST_S = 0.1
MEASURE = """
import time
began_s = time.process_time()
import nasoa
print(time.process_time() - began_s)
"""


def test_importing_the_package_takes_less_than_a_tenth_of_a_second() -> None:
    """In processor time, so that other processes do not count; it is a tenth of that."""
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True).stdout
        )
        for _ in range(3)
    ]
    assert statistics.median(seconds) < MOST_S
