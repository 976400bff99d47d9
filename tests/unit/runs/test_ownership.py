"""Whose files are these: each file of a dataset is asked, none speaks for another."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from electrode_grains.errors import RunError
from electrode_grains.runs import Manifest, Recipe, file_digests
from electrode_grains.runs.manifest import outline
from electrode_grains.runs.ownership import Claim, refuse_outside, refuse_replacing

RECIPE = Recipe("nodes.scan", "aa", {}, {}, {})


@pytest.fixture
def slices(tmp_path):
    """Three slices as a run wrote them, the first by an earlier one."""
    folder = tmp_path / "slices"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.ang").write_text(name)
    return folder


def manifest_of(slices, written="bc"):
    digests = file_digests([slices])
    files = {name: digests[name] for name in digests if name[-5] in written}
    former = {name: digests[name] for name in digests.keys() - files.keys()}
    return Manifest("slices", files, RECIPE, former=former)


def refusal_of(slices, manifest, **options):
    options = {"changed_too": True, **options}
    with pytest.raises(RunError) as refusal:
        refuse_replacing("slices", [slices], manifest, folder=slices.parent, **options)
    return refusal.value


@pytest.mark.parametrize("changed_too", [True, False])
def test_what_runs_wrote_now_or_before_may_be_replaced(slices, changed_too):
    manifest = manifest_of(slices)
    refuse_replacing("slices", [slices], manifest, folder=slices.parent, changed_too=changed_too)


@pytest.mark.parametrize("name", "abcd")
def test_a_file_of_a_person_is_found_wherever_it_lies_in_the_order(slices, name):
    manifest = manifest_of(slices)
    other = slices / f"0_{name}.ang" if name != "d" else slices / "d.ang"
    other.write_text("a person's")
    refusal = refusal_of(slices, manifest, changed_too=False)
    assert refusal.where == str(other)
    assert "no run of this project has recorded" in refusal.found


@pytest.mark.parametrize("name", "abc")
def test_changed_raw_data_are_somebodys_work_and_a_changed_result_is_damage(slices, name):
    manifest = manifest_of(slices)
    (slices / f"{name}.ang").write_text("edited")
    refusal = refusal_of(slices, manifest)
    assert refusal.where == str(slices / f"{name}.ang")
    assert "changed since a run wrote it" in refusal.found
    if name == "a":  # of an earlier run: not to be made again, so that it is nobody's damage
        refusal_of(slices, manifest, changed_too=False)
    else:
        refuse_replacing("slices", [slices], manifest, folder=slices.parent, changed_too=False)


@pytest.mark.parametrize("parts", [["a"], ["a", "b"], ["b", "c"]])
def test_a_claim_speaks_for_its_own_parts_only(slices, parts):
    Claim("slices", parts).write(slices.parent)
    refusal = refusal_of(slices, None)
    others = sorted({"a", "b", "c"} - set(parts))
    assert refusal.where == str(slices / f"{others[0]}.ang")
    for claim in (Claim("slices", ["a", "b", "c"]), Claim("slices")):
        claim.write(slices.parent)
        assert Claim.read(slices.parent, "slices") == claim
        refuse_replacing("slices", [slices], None, folder=slices.parent, changed_too=True)
    claim.remove(slices.parent)
    claim.remove(slices.parent)
    refusal_of(slices, None)


def test_a_claim_names_the_parts_of_what_is_saved_by_parts():
    data = {"slice_2": 1, "slice_1": 2}
    assert Claim.of("slices", data, by_parts=True).parts == ["slice_1", "slice_2"]
    assert Claim.of("slices", data, by_parts=False).parts is None
    assert Claim.of("slices", [1], by_parts=True).parts is None


def test_a_file_that_a_person_asked_to_use_is_never_replaced(slices):
    digests = file_digests([slices])
    refusal = refusal_of(slices, Manifest("slices", digests, None))
    assert "a person put it there" in refusal.found


def test_raw_data_are_written_below_the_data_folder_and_its_links_count_as_where_they_lead(
    tmp_path,
):
    root, outside = tmp_path / "data", tmp_path / "elsewhere"
    root.mkdir()
    outside.mkdir()
    (root / "linked").symlink_to(outside)
    refuse_outside("scans", [root / "a", root / "b" / "c", root], root)
    for place in (outside, root / "linked" / "a", root / ".." / "elsewhere", tmp_path):
        with pytest.raises(RunError, match="outside the data folder"):
            refuse_outside("scans", [root / "a", place], root)


def test_outlines_of_tables_volumes_and_results():
    table = pd.DataFrame({"label": np.array([1, 2], "uint32"), "name": ["a", "b"]})
    volume = xr.DataArray(np.zeros((2, 3, 4), "float32"), dims=("z", "y", "x"))
    assert outline(table)["rows"] == 2
    assert outline(table)["columns"]["label"] == "uint32"
    assert outline(volume) == {"dims": ["z", "y", "x"], "shape": [2, 3, 4], "dtype": "float32"}
    assert outline(table["label"]) == {"type": "Series"}
    assert outline({"b": 1, "a": 2}) == {"keys": ["a", "b"]}
    assert outline([1]) == {"type": "list"}
