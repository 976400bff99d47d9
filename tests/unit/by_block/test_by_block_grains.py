"""The chain from stored class probabilities to the grain table, block by block."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import find_grains_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ORIENTATION_CHANNELS
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import SegmentationSettings, segment_grains
from electrode_grains.morphometry import measure_particle
from electrode_grains.volumes import as_volume, spacing_of

SETTINGS = SegmentationSettings(merge_mode="iq", minima_depth=0.02, merge_boundary=0.4)
SPACING = (50.0, 40.0, 40.0)


@pytest.fixture(scope="module")
def probability():
    shape = (30, 33, 36)
    noise = ndimage.gaussian_filter(np.random.default_rng(4).random(shape), 2)
    noise = (noise - noise.min()) / np.ptp(noise)
    background = np.zeros(shape)
    background[:4] = background[-3:] = background[:, :5] = 0.9
    boundary = (1 - background) * noise
    return np.float32(np.stack([boundary, 1 - background - boundary, background]))


@pytest.fixture
def stored(probability, tmp_path):
    path = tmp_path / "class_probability_volume.ome.zarr"
    channels = ("boundary", "interior", "background")
    VolumeDataset(filepath=str(path)).save(
        as_volume(probability, SPACING, "class_probability_volume", channels=channels)
    )
    return path


@pytest.mark.parametrize(
    "compute",
    [
        ExecutorSettings(block_edge=17),
        ExecutorSettings(executor="threads", n_workers=2, block_edge=20),
        ExecutorSettings(executor="dask", n_workers=2, block_edge=20),
    ],
    ids=lambda compute: compute.executor,
)
def test_labels_and_tables_on_disk_are_those_in_core(probability, stored, tmp_path, compute):
    found = find_grains_by_block(stored, tmp_path / "out", compute=compute, segmentation=SETTINGS)
    labels = segment_grains(probability, settings=SETTINGS)
    measured = measure_particle(labels, SPACING)

    volume = read_volume(found.labels)
    np.testing.assert_array_equal(volume.to_numpy(), labels)
    assert spacing_of(volume) == SPACING
    assert labels.max() > 5
    for name, table in (("grain", measured.grains), ("contact", measured.contacts)):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / "out" / f"{name}_table.parquet"), table, check_exact=True
        )
    assert found.measurement.particle == measured.particle


def test_image_quality_and_orientations_enter_the_tables(probability, stored, tmp_path):
    rng, shape = np.random.default_rng(6), probability.shape[1:]
    quality = rng.gamma(4, 20, shape).astype(np.float32)
    quality[:, :, :2] = quality[15] = np.nan
    crystals = rng.normal(size=(4, *shape)) + np.array([9, 0, 0, 0])[:, None, None, None]
    channels = np.float32([*(crystals / np.linalg.norm(crystals, axis=0)), rng.random(shape)])
    paths = {name: tmp_path / f"{name}.ome.zarr" for name in ("image_quality", "orientations")}
    for name, values, names in (
        ("image_quality", quality, None), ("orientations", channels, ORIENTATION_CHANNELS)
    ):  # fmt: skip
        VolumeDataset(filepath=str(paths[name])).save(as_volume(values, SPACING, name, names))

    found = find_grains_by_block(
        stored, tmp_path / "out", compute=ExecutorSettings(block_edge=20), segmentation=SETTINGS,
        **paths,
    )  # fmt: skip

    labels = segment_grains(probability, settings=SETTINGS, measured=np.isfinite(quality))
    measured = measure_particle(
        labels, SPACING, np.isfinite(quality), image_quality=quality, orientations=channels
    )
    np.testing.assert_array_equal(read_volume(found.labels).to_numpy(), labels)
    for name, table in (("grain", measured.grains), ("contact", measured.contacts)):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / "out" / f"{name}_table.parquet"), table, check_exact=True
        )
    assert found.measurement.particle == measured.particle
    assert not labels[15].any()
    assert measured.grains["mean_image_quality"].notna().all()


def test_volumes_of_another_shape_are_refused_at_the_start(stored, tmp_path):
    other = as_volume(np.ones((2, 3, 4), np.float32), SPACING, "image_quality")
    VolumeDataset(filepath=str(tmp_path / "quality.ome.zarr")).save(other)

    with pytest.raises(InputError, match="do not fit each other"):
        find_grains_by_block(stored, tmp_path / "out", image_quality=tmp_path / "quality.ome.zarr")


def test_a_second_call_computes_what_is_missing_alone(stored, tmp_path):
    compute = ExecutorSettings(block_edge=20)
    first = find_grains_by_block(stored, tmp_path / "out", compute=compute, segmentation=SETTINGS)
    again = find_grains_by_block(stored, tmp_path / "out", compute=compute, segmentation=SETTINGS)
    other = find_grains_by_block(
        stored, tmp_path / "out", compute=compute, segmentation=SETTINGS.replace(minimum_voxels=60)
    )

    assert first.kept == again.computed == 0
    assert again.kept == first.computed
    assert 0 < other.computed < first.computed  # the flood and what follows it are at hand
    assert again.measurement.grains.equals(first.measurement.grains)


def test_a_call_that_was_refused_leaves_no_volume_of_grains(stored, tmp_path):
    with pytest.raises(SettingsError):
        find_grains_by_block(
            stored, tmp_path / "out", segmentation=SETTINGS.replace(particle="most_central")
        )

    with pytest.raises(InputError):
        read_volume(tmp_path / "out" / "grain_label_volume.ome.zarr")


def test_what_is_no_class_probability_is_refused(tmp_path):
    with pytest.raises(InputError, match="no volume of class probabilities"):
        find_grains_by_block(tmp_path / "nothing.ome.zarr", tmp_path / "out")
