"""The chain from stored class probabilities to the grain table, block by block."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import find_grains_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ORIENTATION_CHANNELS, ScanIndex
from electrode_grains.ebsd.orientations import multiply, random_orientations
from electrode_grains.ebsd.pseudo_cube import PseudoSymmetry, variants
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import SegmentationSettings, segment_grains, segment_grains_with_report
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


@pytest.fixture(scope="module")
def channels(probability):
    """Crystals of which basins hold several, with points that are wrong, unknown or flipped."""
    rng, shape = np.random.default_rng(9), probability.shape[1:]
    z, y, x = np.mgrid[tuple(slice(size) for size in shape)]
    crystal = (z + x // 2) // 9 + 10 * ((y - x // 3) // 11) + 50
    points = random_orientations(100, rng)[crystal]
    flipped = (y + z) % 17 < 5
    points[flipped] = multiply(variants()[1], points[flipped])
    points += rng.normal(0, 0.005, points.shape)
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    wrong = rng.random(shape) < 0.06
    points[wrong] = random_orientations(int(wrong.sum()), rng)
    points[rng.random(shape) < 0.06] = np.nan
    return np.float32([*np.moveaxis(points, -1, 0), rng.random(shape)])


@pytest.mark.parametrize(
    ("compute", "merge_mode", "is_flipped"),
    [
        (ExecutorSettings(block_edge=17), "combined", True),
        (ExecutorSettings(executor="threads", n_workers=2, block_edge=20), "orientation", None),
        (ExecutorSettings(executor="dask", n_workers=2, block_edge=20), "combined", False),
    ],
    ids=["serial", "threads", "dask"],
)
def test_orientations_decide_as_in_core(
    probability, channels, stored, tmp_path, compute, merge_mode, is_flipped
):
    """Whether c axes were confused is known from the stack, or found in the particle."""
    path = tmp_path / "orientations.ome.zarr"
    VolumeDataset(filepath=str(path)).save(
        as_volume(channels, SPACING, "orientations", ORIENTATION_CHANNELS)
    )
    finding = None if is_flipped is None else PseudoSymmetry(None, 0.1, is_flipped, "as found")
    index = ScanIndex((), (), "-3m", 1.0, "", False, None, pseudo_symmetry=finding)
    chosen = SETTINGS.replace(merge_mode=merge_mode)

    found = find_grains_by_block(
        stored, tmp_path / "out", compute=compute, segmentation=chosen, orientations=path,
        scan_index=None if finding is None else index,
    )  # fmt: skip

    choice = "auto" if is_flipped is None else "on" if is_flipped else "off"
    labels, report = segment_grains_with_report(
        probability, settings=chosen.replace(pseudo_symmetry=choice), orientations=channels
    )
    measured = measure_particle(labels, SPACING, orientations=channels)
    np.testing.assert_array_equal(read_volume(found.labels).to_numpy(), labels)
    assert found.segmentation.passes == report.passes
    assert found.segmentation.pseudo_symmetry == report.pseudo_symmetry == (is_flipped is not False)
    assert report.basins_cut_by_orientation > 5
    for name, table in (("grain", measured.grains), ("contact", measured.contacts)):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / "out" / f"{name}_table.parquet"), table, check_exact=True
        )


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
