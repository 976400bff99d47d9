"""Edits in a file of their own."""

from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from electrode_grains.datasets.edits import EditsDataset, _read_lines, append_edit
from electrode_grains.errors import InputError

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


@pytest.mark.parametrize("name", ["edits.yml", "edits.csv"])
def test_appended_edits_are_read_back_in_their_order(tmp_path, name):
    file = tmp_path / "raw" / name
    for edit in EDITS:
        append_edit(file, edit)
    loaded = EditsDataset(filepath=str(file)).load()
    assert [edit["action"] for edit in loaded] == ["remove", "merge"]
    assert loaded[1] == EDITS[1]
    assert loaded[0]["at"] in ([1, 2, 3], [[1, 2, 3]])


def test_appending_keeps_comments_and_style_of_what_a_person_wrote(tmp_path):
    file = tmp_path / "edits.yml"
    written = "# looked at by hand\n- action: split   # two crystals\n  at: [[1, 1, 1], [2, 2, 2]]"
    file.write_text(written)
    append_edit(file, EDITS[0])
    assert file.read_text() == written + "\n- {action: remove, at: [1, 2, 3]}\n"


@pytest.mark.parametrize("before", ["[]\n", "# none yet\n", ""])
def test_a_file_without_edits_takes_the_first_one(tmp_path, before):
    file = tmp_path / "edits.yml"
    file.write_text(before)
    append_edit(file, EDITS[1])
    assert EditsDataset(filepath=str(file)).load() == EDITS[1:]


def test_a_list_on_one_line_is_left_alone(tmp_path):
    file = tmp_path / "edits.yml"
    file.write_text("[{action: remove, at: [1, 2, 3]}]\n")
    before = file.read_bytes()
    with pytest.raises(InputError):
        append_edit(file, EDITS[1])
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


VOXEL = st.tuples(*[st.integers(-3, 500)] * 3).map(list)


@given(
    st.lists(
        st.tuples(st.sampled_from(["remove", "merge", "split", "join"]), VOXEL | st.lists(VOXEL)),
        max_size=6,
    ),
    st.sampled_from(["", "  # two crystals", "\n# a line of its own", "\n"]),
)
def test_lines_are_read_as_yaml_reads_them(edits, comment):
    text = "".join(f"- {{action: {action}, at: {at}}}{comment}\n" for action, at in edits)
    assert _read_lines(text) == (yaml.safe_load(text) or [])


@pytest.mark.parametrize(
    "text",
    ["- {action: remove, at: [1, 2,]}", "- {action: remove, at: [01, 2, 3]}",
     "- action: remove\n  at: [1, 2, 3]", "[{action: remove, at: [1, 2, 3]}]"],
)  # fmt: skip
def test_another_style_is_left_to_yaml(text):
    assert _read_lines(text) is None


def test_a_file_that_grows_when_it_is_read_is_refused(tmp_path):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n" for before, name in pairwise("abcdefghijklmnop")
    )
    (tmp_path / "edits.yml").write_text(bomb)
    with pytest.raises(DatasetError, match="anchors or aliases"):
        EditsDataset(filepath=str(tmp_path / "edits.yml")).load()


@pytest.mark.parametrize("name", ["edits.yml", "edits.csv"])
def test_a_million_edits_are_refused_by_their_size(tmp_path, name):
    (tmp_path / name).write_text("- {action: remove, at: [1, 2, 3]}\n" * 1_000_000)
    with pytest.raises(DatasetError, match=r"too large(.|\n)*34\.0 MB"):
        EditsDataset(filepath=str(tmp_path / name)).load()
