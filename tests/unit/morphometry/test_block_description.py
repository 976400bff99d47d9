"""Image quality and lattices of grains, read block by block: the tables of the volume in core."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from electrode_grains.blocks import SerialExecutor, ThreadExecutor
from electrode_grains.errors import InputError
from electrode_grains.morphometry import MeasureSettings, measure_particle
from electrode_grains.morphometry.block_description import measure_particle_by_block

SHAPE, SPACING = (17, 22, 26), (50.0, 40.0, 40.0)


@pytest.fixture(scope="module")
def volumes():
    """Labels with gaps, one of which winds through all blocks; quality and crystals, both noisy."""
    rng = np.random.default_rng(8)
    seeds = np.zeros(SHAPE, np.int32)
    places = rng.choice(seeds.size, 30, replace=False)
    seeds.flat[places] = rng.choice(200, 30, replace=False) + 1
    near = ndimage.distance_transform_edt(
        seeds == 0, sampling=SPACING, return_distances=False, return_indices=True
    )
    labels = seeds[tuple(near)]
    labels[:2] = labels[:, :, -2:] = 0
    labels[8, 9, :24] = labels[2:, 9, 7] = 300
    quality = rng.gamma(4, 20, SHAPE).astype(np.float32)
    quality[rng.random(SHAPE) < 0.1] = np.nan
    of_label = rng.normal(size=(301, 4))
    crystals = of_label[labels] + 0.02 * rng.normal(size=(*SHAPE, 4))
    wrong = rng.random(SHAPE) < 0.3
    crystals[wrong] = rng.normal(size=(wrong.sum(), 4))
    crystals /= np.linalg.norm(crystals, axis=-1, keepdims=True)
    crystals[rng.random(SHAPE) < 0.1] = np.nan
    crystals[labels == labels[8, 2, 2]] = np.nan  # a grain without an orientation
    channels = np.float32([*np.moveaxis(crystals, -1, 0), rng.random(SHAPE)])
    return labels, quality, channels


def assert_same(found, expected):
    for part in ("grains", "contacts"):
        pd.testing.assert_frame_equal(
            getattr(found, part), getattr(expected, part), check_exact=True
        )
    assert found.particle == expected.particle


@pytest.mark.parametrize(
    ("edge", "executor"),
    [(5, SerialExecutor()), (11, ThreadExecutor(2)), (64, SerialExecutor())],
    ids=["5", "11-threads", "64"],
)
@pytest.mark.parametrize("laue", ["-3m", "m-3m"])
def test_tables_are_those_in_core_whatever_the_blocks(volumes, edge, executor, laue):
    labels, quality, channels = volumes
    settings = MeasureSettings(laue_group=laue, resolution_correction=True)

    found = measure_particle_by_block(
        labels, SPACING, executor=executor, block_edge=edge, settings=settings,
        image_quality=quality, orientations=list(channels),
    )  # fmt: skip

    expected = measure_particle(
        labels, SPACING, settings=settings, image_quality=quality, orientations=channels
    )
    assert_same(found, expected)
    assert (expected.grains["orientation_reason"] == "no indexed point").sum() == 1
    assert expected.grains["orientation_w"].notna().sum() > 20


def test_slabs_of_a_task_change_nothing(volumes, monkeypatch):
    labels, quality, channels = volumes
    monkeypatch.setattr("electrode_grains.morphometry.block_description.READ_AT_ONCE", 1)

    found = measure_particle_by_block(
        labels, SPACING, executor=SerialExecutor(), block_edge=40, image_quality=quality,
        orientations=list(channels),
    )  # fmt: skip

    expected = measure_particle(labels, SPACING, image_quality=quality, orientations=channels)
    assert_same(found, expected)


@pytest.mark.parametrize("given", ["image_quality", "orientations", "nothing"])
def test_what_is_not_given_adds_no_column(volumes, given):
    labels, quality, channels = volumes
    center = MeasureSettings(center_nm=(400.0, 300.0, 300.0))
    by_block = {"image_quality": quality, "orientations": list(channels[:4])}
    in_core = {"image_quality": quality, "orientations": channels[:4]}

    found = measure_particle_by_block(
        labels, SPACING, executor=SerialExecutor(), block_edge=9, settings=center,
        **{name: value for name, value in by_block.items() if name == given},
    )  # fmt: skip

    in_core = {name: value for name, value in in_core.items() if name == given}
    assert_same(found, measure_particle(labels, SPACING, settings=center, **in_core))


@pytest.mark.parametrize("edge", [4, 9, 40])
@pytest.mark.parametrize("trials", [4e9, 2e4], ids=["all-places", "some-rows"])
def test_a_measured_region_bounds_grains_as_in_core(volumes, edge, trials, monkeypatch):
    labels, quality, channels = volumes
    for module in ("edges", "block_region"):
        monkeypatch.setattr(f"electrode_grains.morphometry.{module}.MOST_TRIALS", trials)
    measured = np.ones(SHAPE, bool)
    measured[:, :3] = measured[13:, 18:] = measured[4, 15, 15] = False

    found = measure_particle_by_block(
        labels, SPACING, measured, executor=SerialExecutor(), block_edge=edge,
        image_quality=quality, orientations=list(channels),
    )  # fmt: skip

    expected = measure_particle(
        labels, SPACING, measured, image_quality=quality, orientations=channels
    )
    assert_same(found, expected)
    assert expected.grains["edge_weight"].nunique() > 3


@pytest.mark.parametrize("labels", [np.zeros(SHAPE, np.int64), np.full(SHAPE, -1, np.int32)])
def test_labels_that_a_region_cannot_have_are_refused(labels):
    with pytest.raises(InputError, match="labels"):
        measure_particle_by_block(
            labels, SPACING, np.ones(SHAPE, bool), executor=SerialExecutor(), block_edge=9
        )


def test_no_grain_has_no_rows_but_all_columns(volumes):
    labels, quality, channels = np.zeros(SHAPE, np.int32), *volumes[1:]

    found = measure_particle_by_block(
        labels, SPACING, executor=SerialExecutor(), block_edge=9, image_quality=quality,
        orientations=list(channels),
    )  # fmt: skip

    expected = measure_particle(labels, SPACING, image_quality=quality, orientations=channels)
    assert found.grains.empty
    assert list(found.grains.columns) == list(expected.grains.columns)


def test_volumes_of_another_shape_are_refused(volumes):
    labels, quality, _ = volumes
    with pytest.raises(InputError, match="differ in shape"):
        measure_particle_by_block(
            labels, SPACING, executor=SerialExecutor(), block_edge=9, image_quality=quality[1:]
        )
