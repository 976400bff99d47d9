"""Edits in a file of their own."""

import pytest
from kedro.io import DatasetError

from electrode_grains.datasets.edits import EditsDataset

EDITS = [
    {"action": "remove", "at": [[1, 2, 3]]},
    {"action": "merge", "at": [[1, 2, 3], [4, 5, 6]]},
]


def test_yaml_and_csv_say_the_same(tmp_path):
    (tmp_path / "edits.yml").write_text(
        "- {action: remove, at: [[1, 2, 3]]}\n- {action: merge, at: [[1, 2, 3], [4, 5, 6]]}\n"
    )
    (tmp_path / "edits.csv").write_text(
        "edit,action,z,y,x\n1,remove,1,2,3\n2,merge,1,2,3\n2,merge,4,5,6\n"
    )
    for name in ("edits.yml", "edits.csv"):
        assert EditsDataset(filepath=str(tmp_path / name)).load() == EDITS


def test_without_a_file_there_is_no_edit(tmp_path):
    assert EditsDataset(filepath=str(tmp_path / "edits.yml")).load() == []


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("edits.yml", "action: remove", "no list"),
        ("edits.yml", "[", "not YAML"),
        ("edits.csv", "a,b\n1,2\n", "other columns"),
        ("edits.csv", "edit,action,z,y,x\n1,merge,1,2,3\n1,split,4,5,6\n", "several actions"),
    ],
)
def test_a_file_that_is_no_list_of_edits_is_refused(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=told):
        EditsDataset(filepath=str(tmp_path / name)).load()
