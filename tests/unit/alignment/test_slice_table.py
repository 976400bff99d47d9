"""Motions and tilts of slices as a table, a figure, and rows of the report."""

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains import figures, schemas
from electrode_grains.alignment import (
    AlignmentSettings,
    LatticeField,
    estimate_transforms,
    slice_table,
)
from electrode_grains.alignment.table import describe_tilts
from electrode_grains.ebsd.orientations import (
    conjugate,
    laue_group,
    multiply,
    random_orientations,
)
from electrode_grains.errors import InputError
from electrode_grains.figures.page import report_page

SHAPE = (6, 64, 64)
TILTED, TILT = 3, np.radians([0.4, -0.25, 0.0])  # of one slice against those around it


@pytest.fixture(scope="module")
def tilted():
    """A stack that stands still, of which one slice was scanned tilted, and its transforms."""
    rng = np.random.default_rng(6)
    columns = np.add.outer(np.arange(64) // 16 * 4, np.arange(64) // 16)
    truth = random_orientations(16, rng)[columns]
    scatter = rng.normal(0, np.radians(0.1), (*SHAPE, 3)) / 2
    noise = np.concatenate([np.ones((*SHAPE, 1)), scatter], axis=-1)
    noise /= np.linalg.norm(noise, axis=-1, keepdims=True)
    quaternions = multiply(noise, truth)
    angle = np.linalg.norm(TILT)
    turn = np.array([np.cos(angle / 2), *(np.sin(angle / 2) * TILT / angle)])
    quaternions[TILTED] = multiply(quaternions[TILTED], conjugate(turn))
    quality = ndimage.gaussian_filter(rng.normal(0, 1, SHAPE), (1.5, 2, 2)) * 100
    quality += rng.normal(0, 1, SHAPE)
    channels = np.concatenate([np.moveaxis(quaternions, -1, 0), np.full((1, *SHAPE), 0.9)])
    lattice = LatticeField.of_channels(channels.astype(np.float32), laue_group("-3m"))
    return estimate_transforms(quality, AlignmentSettings(mode="rigid_body"), lattice=lattice)


NAMES = [f"S{z}" for z in range(SHAPE[0])]


def test_tilts_stand_in_the_table_with_sign_unit_and_error(tilted):
    table = schemas.slice_table(slice_table(tilted, NAMES))
    assert table["slice"].tolist() == NAMES
    assert table["registered_to"].tolist()[1:] == NAMES[:-1]
    expected = np.zeros((SHAPE[0], 2))
    expected[TILTED] = np.degrees(TILT[:2])
    expected[TILTED + 1] = -np.degrees(TILT[:2])
    found = table[["tilt_x_degrees", "tilt_y_degrees"]].to_numpy()
    errors = table[["tilt_x_error_degrees", "tilt_y_error_degrees"]].to_numpy()
    assert np.isnan(found[0]).all()  # there is nothing before the first
    assert np.abs(found[1:] - expected[1:]).max() < 0.03
    off = (found[1:] - expected[1:]) / errors[1:]
    assert np.abs(off).max() < 4
    assert 0.3 < np.sqrt((off**2).mean()) < 2.5  # errors are what they are called
    assert errors[1:].max() < 0.03


def test_the_log_names_the_slice_that_is_tilted_most(tilted):
    told = describe_tilts(tilted.lattice, NAMES)
    assert f"most S{TILTED}" in told or f"most S{TILTED + 1}" in told
    assert "by .47" in told
    assert "degrees" in told


def test_the_report_shows_tilts_with_their_errors(tilted):
    table = slice_table(tilted, NAMES)
    content = {"title": "P", "slice_transforms": tilted.to_dict(), "slice_table": table}
    page = report_page(content)
    row = table.iloc[TILTED]
    assert f"{row['tilt_x_degrees']:.3f} ± {row['tilt_x_error_degrees']:.3f}" in page
    assert "Tilt about y / degrees" in page
    assert "lattice, tilt about x rms / degrees" in page
    assert "quaternion" not in page.split("<main>")[1][:2000]
    drawn = figures.drift_plot(tilted.to_dict())
    assert [axes.get_ylabel() for axes in drawn.axes][-1] == "tilt / deg"


def test_a_stack_without_orientations_has_no_tilts():
    rng = np.random.default_rng(1)
    transforms = estimate_transforms(rng.normal(size=(3, 20, 20)), mode="none")
    table = slice_table(transforms, ["a", "b", "c"])
    assert table.filter(like="tilt").isna().all(axis=None)
    assert (table["shift_x_px"] == 0).all()
    assert "" in report_page({"title": "P", "slice_table": table})
    with pytest.raises(InputError, match="twice"):
        schemas.slice_table(table.assign(slice="a"))
