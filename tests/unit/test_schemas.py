import numpy as np
import pandas as pd
import pytest

from electrode_grains import schemas
from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.errors import InputError


@pytest.fixture
def table() -> pd.DataFrame:
    row = {column: 0.5 for column, known in DESCRIPTORS.items() if known.required}
    return pd.DataFrame([{**row, "label": label, "voxel_count": 5} for label in (1, 2)])


def test_a_grain_table_passes_and_nulls_are_allowed(table):
    table.loc[0, "convexity"] = np.nan
    assert schemas.grain_table(table) is table


def test_a_convexity_above_one_names_the_grain(table):
    table.loc[1, "convexity"] = 1.2
    with pytest.raises(InputError, match=r"(?s)convexity.*grain 2.*1\.2"):
        schemas.grain_table(table)


def test_a_missing_column_is_named(table):
    with pytest.raises(InputError, match="sphericity"):
        schemas.grain_table(table.drop(columns="sphericity"))


def test_a_grain_table_of_a_version_without_edge_weights_is_refused_with_a_way_out(table):
    with pytest.raises(InputError, match=r"(?s)lacks edge_weight.*another version"):
        schemas.grain_table(table.drop(columns="edge_weight"))


def test_equal_labels_are_refused(table):
    with pytest.raises(InputError, match="unique"):
        schemas.grain_table(table.assign(label=1))


def test_contacts_name_the_smaller_label_first():
    contacts = pd.DataFrame({"label_a": [2], "label_b": [1], "interface_area_nm2": [1.0]})
    with pytest.raises(InputError, match="smaller label"):
        schemas.contact_table(contacts)


def test_transforms_are_three_by_three():
    with pytest.raises(InputError, match=r"\(2, 2, 3\)"):
        schemas.true_slice_transforms({"matrices": np.zeros((2, 2, 3)), "slice_depths_nm": [0, 50]})


def test_a_source_of_truth_is_named_once():
    row = {"characteristic": "sphericity", "source": "acquired", "count": 3, "mean": 1, "std": 0}
    with pytest.raises(InputError, match="once"):
        schemas.truth_comparison(pd.DataFrame([row, row]))


def test_suspects_out_of_order_are_refused():
    row = dict.fromkeys(("rank", "label", "reason", "z", "y", "x"), 1)
    table = pd.DataFrame([{**row, "suspicion": 1.2}, {**row, "suspicion": 1.5}])
    with pytest.raises(InputError, match="decreasing"):
        schemas.suspect_table(table)
    assert len(schemas.suspect_table(table.iloc[::-1])) == 2
