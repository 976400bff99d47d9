import numpy as np
import pandas as pd
import pytest

from electrode_grains import schemas
from electrode_grains.problems import InputProblem


@pytest.fixture
def table() -> pd.DataFrame:
    row = {column: 0.5 for column in schemas.GRAIN_COLUMNS}
    return pd.DataFrame([{**row, "label": label, "voxel_count": 5} for label in (1, 2)])


def test_a_grain_table_passes_and_nulls_are_allowed(table):
    table.loc[0, "convexity"] = np.nan
    assert schemas.grain_table(table) is table


def test_a_convexity_above_one_names_the_grain(table):
    table.loc[1, "convexity"] = 1.2
    with pytest.raises(InputProblem, match=r"(?s)convexity.*grain 2.*1\.2"):
        schemas.grain_table(table)


def test_a_missing_column_is_named(table):
    with pytest.raises(InputProblem, match="sphericity"):
        schemas.grain_table(table.drop(columns="sphericity"))


def test_equal_labels_are_refused(table):
    with pytest.raises(InputProblem, match="unique"):
        schemas.grain_table(table.assign(label=1))


def test_a_slice_cannot_train_and_judge():
    with pytest.raises(InputProblem, match=r"\[4\]"):
        schemas.annotation_split({"train": [4, 8], "held_out": [4]})


def test_contacts_name_the_smaller_label_first():
    contacts = pd.DataFrame({"label_a": [2], "label_b": [1], "interface_area_nm2": [1.0]})
    with pytest.raises(InputProblem, match="smaller label"):
        schemas.contact_table(contacts)
