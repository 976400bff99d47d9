"""Headers with notes, gaps and odd entries: what counts of them and what does not."""

import h5py
import numpy as np
import pytest
import xarray as xr

from electrode_grains.ebsd import read_scan, write_scan
from electrode_grains.ebsd.dream3d import _geometry
from electrode_grains.ebsd.h5oina import _succeeded
from electrode_grains.ebsd.hdf5 import count_points, find_dataset
from electrode_grains.errors import InputError


@pytest.fixture
def written(tmp_path):
    shape = (4, 3)
    values = np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32)
    scan = xr.Dataset(
        {
            "image_quality": (("y", "x"), 100 * values),
            "confidence_index": (("y", "x"), values / 2),
            "euler_angles": (("y", "x", "angle"), np.stack([values] * 3, axis=-1)),
            "phase": (("y", "x"), np.ones(shape, np.int16)),
        },
        attrs={
            "step_nm": (50.0, 50.0),
            "phases": ({"id": 1, "material_name": "NMC", "formula": "", "symmetry": "32"},),
        },
    )
    path = tmp_path / "slice_1.ang"
    write_scan(scan, path)
    return path


@pytest.mark.parametrize("end", ["# NOTES: End\n", "# NOTES: End\n#\n# OPERATOR: Phase\n"])
def test_what_stands_in_the_notes_of_a_header_is_no_header(written, end):
    whole = read_scan(written)
    notes = "# NOTES: Start\n# XSTEP: 7.0\n# Phase 9\n# MaterialName Lead\n# GRID: HexGrid\n"
    written.write_text(notes + end + written.read_text())
    xr.testing.assert_identical(read_scan(written), whole)


def test_the_header_goes_on_after_the_notes(written):
    text = written.read_text()
    written.write_text("# NOTES: Start\n# any\n# NOTES: End\n" + text.replace("XSTEP", "XSTOP"))
    whole = read_scan(written)  # a step that the header lacks is that of the coordinates
    assert whole.attrs["step_nm"] == (50.0, 50.0)
    assert whole.attrs["phases"][0]["material_name"] == "NMC"


@pytest.mark.parametrize(
    ("error", "phase", "expected", "doubts"),
    [
        ([1, 7, 2, 3], [1, 1, 1, 0], [True, True, False, False], 0),
        ([0, 0, 2, 1], [1, 1, 1, 1], [True, True, False, False], 1),
        ([0, 1, 2, 3], [1, 1, 1, 1], [False, True, False, False], 0),  # as many: as specified
        ([0, 0, 1, 3], [0, 0, 1, 1], [False, False, True, False], 0),  # 0 where no phase is
    ],
)
def test_success_is_the_code_that_most_points_of_a_phase_carry(error, phase, expected, doubts):
    notes = []
    found = _succeeded(np.array(error, float), np.array(phase) > 0, notes)
    assert found.tolist() == expected
    assert len(notes) == doubts


@pytest.mark.parametrize(
    ("sizes", "spacing"),
    [
        ([4.0, 3.5, 2.0], [1.0, 1.0, 1.0]),
        ([4.0, 0.0, 2.0], [1.0, 1.0, 1.0]),
        ([4.0, 2.0**31, 2.0], [1.0, 1.0, 1.0]),
        ([4.0, 3.0, 2.0], [1.0, 0.0, 1.0]),
        ([4.0, 3.0, 2.0], [1.0, 1.0, -0.1]),
    ],
)
def test_impossible_volumes_are_refused(sizes, spacing):
    with pytest.raises(InputError, match="impossible"):
        _geometry(sizes, spacing, 6, "here")


def test_a_volume_is_turned_from_x_y_z_to_z_y_x_in_micrometres():
    assert _geometry([4.0, 3.0, 2.0], [0.1, 0.2, 0.3], 6, "here") == (
        (2, 3, 4),
        (0.3, 0.2, 0.1),
        (),
    )
    shape, spacing, _ = _geometry([1.0, 1.0, 1.0], [5.0, 6.0, 7.0], 5, "here")  # nm
    assert (shape, spacing) == ((1, 1, 1), (0.007, 0.006, 0.005))


def test_an_empty_dataset_holds_no_points_and_announces_none(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["empty"] = np.zeros((0, 3), np.float32)
        root["full"] = np.zeros((4, 3), np.float32)
        root["scalar"] = 3.0
        assert find_dataset(root, "empty", [(0, 3)]).shape == (0, 3)
        assert count_points(root, "full") == 4
        for name in ("empty", "scalar"):
            with pytest.raises(InputError, match="no points"):
                count_points(root, name)
