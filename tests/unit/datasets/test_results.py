import json
import math

import numpy as np
import pytest

from electrode_grains.datasets.results import ResultDataset


def test_a_result_is_strict_json_with_sorted_keys_and_a_version(tmp_path):
    dataset = ResultDataset(filepath=str(tmp_path / "r.json"))
    dataset.save({"b": math.inf, "a": np.float64(1.5), "c": [math.nan, np.int32(3)]})
    text = (tmp_path / "r.json").read_text()

    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": 1.5,
        "b": None,
        "c": [None, 3],
        "schema_version": 1,
    }
    assert text.index('"a"') < text.index('"b"') < text.index('"schema_version"')
    assert dataset.load()["a"] == 1.5
