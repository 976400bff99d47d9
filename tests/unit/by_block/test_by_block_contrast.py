"""What the network sees, computed by block: the bytes of the node that works in core."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from electrode_grains.blocks import ExecutorSettings, SerialExecutor
from electrode_grains.boundary.block_contrast import (
    ContrastScale,
    exact_quantiles,
    moments,
    ordered_bits,
    scale_contrast,
    streamed_sum,
)
from electrode_grains.boundary.contrast import normalize_contrast
from electrode_grains.boundary.settings import ContrastSettings
from electrode_grains.by_block import build_contrast_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ScanIndex
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.ebsd.pseudo_cube import PseudoSymmetry
from electrode_grains.errors import InputError
from electrode_grains.pipelines.boundary_model.nodes import build_contrast
from electrode_grains.volumes import as_volume

SPACING = (50.0, 40.0, 40.0)
SHAPE = (21, 26, 31)
FLIPS = PseudoSymmetry(c_over_a=4.9, excess=0.1, found=True, reason="")
INDEX = ScanIndex((), (), "-3m", 1.0, "", False, None, pseudo_symmetry=FLIPS)


@pytest.fixture(scope="module")
def stack():
    """Image quality that fades, with an empty slice and missing voxels; orientations; labels."""
    rng = np.random.default_rng(5)
    quality = rng.gamma(4, 20, SHAPE).astype(np.float32)
    quality *= np.linspace(1, 0.6, len(quality), dtype=np.float32)[:, None, None]
    quality[0, :2] = quality[9] = quality[12:, -3:, 5:9] = np.nan
    quality[3, 4, 5] = 0.0
    quaternions = rng.normal(size=(4, *SHAPE))
    quaternions[:, :, 10:] = quaternions[:, :, 10:11]  # one grain
    quaternions /= np.linalg.norm(quaternions, axis=0)
    quaternions[:, rng.random(SHAPE) < 0.1] = np.nan
    confidence = rng.random(SHAPE)
    confidence[np.isnan(quaternions[0])] = np.nan
    labels = np.zeros(SHAPE, np.uint8)
    labels[7] = np.where(quality[7] > np.nanmedian(quality[7]), 1, 2)
    return (
        as_volume(quality, SPACING, "image_quality_volume"),
        as_volume(
            np.float32([*quaternions, confidence]), SPACING, "orientation_volume",
            channels=ORIENTATION_CHANNELS,
        ),
        as_volume(labels, SPACING, "annotation_volume"),
    )  # fmt: skip


@pytest.fixture
def paths(stack, tmp_path):
    found = []
    for volume in stack:
        found.append(tmp_path / f"{volume.name}.ome.zarr")
        VolumeDataset(filepath=str(found[-1])).save(volume)
    return found


@pytest.mark.parametrize(
    "compute",
    [
        ExecutorSettings(block_edge=13),
        ExecutorSettings(executor="threads", n_workers=2, block_edge=25),
        ExecutorSettings(executor="dask", n_workers=2, block_edge=17),
    ],
    ids=lambda compute: f"{compute.executor}-{compute.block_edge}",
)
def test_the_bytes_are_those_in_core_whatever_the_blocks(stack, paths, tmp_path, compute):
    quality, orientations, annotation = paths
    made = build_contrast_by_block(
        quality, orientations, INDEX, tmp_path / "out", annotation=annotation, compute=compute
    )
    expected = build_contrast(stack[0], stack[1], INDEX, ContrastSettings(), stack[2])

    found = read_volume(made.contrast)
    assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()
    assert found.identical(expected)
    # The labels show bright boundaries, so that the image is inverted.
    assert np.nanmin(found[0] + normalize_contrast(stack[0].to_numpy())) == 0


@pytest.mark.parametrize(
    ("settings", "index"),
    [
        (ContrastSettings(channels=["image_quality"]), INDEX),
        (
            ContrastSettings(channels=["misorientation", "image_quality"], boundaries="bright"),
            INDEX,
        ),
        (ContrastSettings(channels=["misorientation"], laue_group="m-3m", pseudo_symmetry="off"),
         INDEX),
    ],
    ids=["image", "bright", "cubic"],
)  # fmt: skip
def test_channels_and_symmetries_are_those_of_the_settings(stack, paths, tmp_path, settings, index):
    made = build_contrast_by_block(
        paths[0], paths[1], index, tmp_path / "out", compute=ExecutorSettings(block_edge=16),
        contrast=settings,
    )  # fmt: skip
    expected = build_contrast(stack[0], stack[1], index, settings)

    assert read_volume(made.contrast).identical(expected)


def test_a_second_call_computes_nothing_again(paths, tmp_path):
    compute = ExecutorSettings(block_edge=16)
    first = build_contrast_by_block(paths[0], paths[1], INDEX, tmp_path / "out", compute=compute)
    again = build_contrast_by_block(paths[0], paths[1], INDEX, tmp_path / "out", compute=compute)

    assert again.computed == first.kept == 0
    assert again.digest == first.digest


def test_confidence_that_is_nowhere_known_draws_a_warning_and_is_zero(stack, paths, tmp_path):
    blind = stack[1].copy()
    blind[4] = np.nan
    VolumeDataset(filepath=str(paths[1])).save(blind)
    settings = ContrastSettings(channels=["confidence_index"])

    with pytest.warns(UserWarning, match="no slice has a confidence_index"):
        made = build_contrast_by_block(
            paths[0], paths[1], INDEX, tmp_path / "out", contrast=settings
        )

    assert read_volume(made.contrast).identical(build_contrast(stack[0], blind, INDEX, settings))


def test_volumes_that_do_not_fit_are_refused(stack, paths, tmp_path):
    VolumeDataset(filepath=str(paths[1])).save(stack[1][:, 1:])

    with pytest.raises(InputError, match="do not fit each other"):
        build_contrast_by_block(paths[0], paths[1], INDEX, tmp_path / "out")
    with pytest.raises(InputError, match="no volume of image quality"):
        build_contrast_by_block(paths[1], paths[1], INDEX, tmp_path / "out")


def test_a_stack_without_contrast_is_refused():
    with pytest.raises(InputError, match="holds no contrast"):
        scale_contrast(np.ones((3, 4, 5)), executor=SerialExecutor(), block_edge=2)
    with pytest.raises(InputError, match="holds no contrast"):
        scale_contrast(np.full((3, 4, 5), np.nan), executor=SerialExecutor(), block_edge=2)


@given(
    volume=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
        elements=st.one_of(
            st.just(np.nan), st.sampled_from([0.0, 1.0, 2.0]), st.floats(-9, 1e3, width=32)
        ),
    ),
    edge=st.integers(1, 4),
)
def test_any_stack_is_normalised_as_in_core(volume, edge):
    try:
        expected = normalize_contrast(volume)
    except InputError:
        with pytest.raises(InputError):
            scale_contrast(volume, executor=SerialExecutor(), block_edge=edge)
        return
    scale = scale_contrast(volume, executor=SerialExecutor(), block_edge=edge)

    assert isinstance(scale, ContrastScale)
    assert scale.apply(volume, 0).tobytes() == expected.tobytes()


@given(
    values=arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    quantiles=st.lists(st.floats(0, 1), min_size=1, max_size=4).map(tuple),
)
def test_counted_quantiles_are_those_of_numpy(values, quantiles):
    def count(prefixes, decided):
        width = min(12, 64 - decided)
        counts = np.zeros((len(prefixes), 4096), np.int64)
        for own, prefix in zip(counts, prefixes, strict=True):
            for value in map(int, ordered_bits(values)):
                if value >> (64 - decided) == int(prefix):
                    own[(value >> (64 - decided - width)) & ((1 << width) - 1)] += 1
        return counts

    assert exact_quantiles(quantiles, count) == tuple(np.quantile(values, quantiles))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 129, 5000, (1 << 20) + 1, (1 << 21) + 12345])
def test_streamed_sums_round_as_those_of_numpy(kind, size):
    values = np.random.default_rng(size).normal(3, 1, size).astype(kind)
    parts = np.split(values, np.sort(np.random.default_rng(1).integers(0, size, 6)))

    total = streamed_sum(parts, size)

    assert total == values.sum()
    assert total.dtype == kind


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_moments_round_as_those_of_numpy(kind):
    values = np.random.default_rng(3).normal(5, 1, (40, 180, 190)).astype(kind)
    image = np.where(np.random.default_rng(4).random(values.shape) < 0.9, 1.0, np.nan)

    found = moments(values, image, voxels=100_000)

    known = values[np.isfinite(image)]
    assert (kind(found.mean), kind(found.spread)) == (known.mean(), known.std())
