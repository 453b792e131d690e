"""Keys of configurations."""

from __future__ import annotations

import numpy as np

from nasoa.online.evaluation.configuration import configuration_keys
from nasoa.online.mixture.layout import Layout


def test_configurations_differ_by_any_column_but_the_group() -> None:
    layout = Layout(num_columns=3, categories=(1,), group=1)
    rows = np.array([[0.0, 0, 2], [-0.0, 5, 2], [np.nan, 0, 2], [0, 0, 3], [2, 0, 0]])
    keys = configuration_keys(layout, rows)
    assert keys[0] == keys[1] == configuration_keys(layout, rows[:1])[0]
    assert len(set(keys)) == 4
