"""Slices moved a few at a time: the bytes of the nodes that work in core."""

from dataclasses import replace

import numpy as np
import pytest

from electrode_grains.alignment import AlignmentSettings, SliceTransforms, rigid_matrix
from electrode_grains.alignment.symmetries import TurnedSlices
from electrode_grains.alignment.transforms import window_center
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import align_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.errors import InputError
from electrode_grains.pipelines.preprocessing.nodes import align_image_quality, align_orientations
from electrode_grains.volumes import as_volume

SPACING = (50.0, 40.0, 40.0)
SHAPE = (19, 26, 26)


@pytest.fixture(scope="module")
def stack():
    rng = np.random.default_rng(6)
    quality = rng.gamma(4, 20, SHAPE).astype(np.float32)
    quality[5], quality[8, :3, 4:7] = np.nan, np.nan
    quaternions = rng.normal(size=(4, *SHAPE))
    quaternions /= np.linalg.norm(quaternions, axis=0)
    quaternions[:, rng.random(SHAPE) < 0.1] = np.nan
    stored = np.float32([*quaternions, rng.random(SHAPE)])
    return (
        as_volume(quality, SPACING, "image_quality_stack"),
        as_volume(stored, SPACING, "orientation_stack", ORIENTATION_CHANNELS),
    )


@pytest.fixture
def paths(stack, tmp_path):
    found = [tmp_path / f"{volume.name}.ome.zarr" for volume in stack]
    for path, volume in zip(found, stack, strict=True):
        VolumeDataset(filepath=str(path)).save(volume)
    return found


@pytest.fixture(scope="module")
def transforms():
    """Motions of all slices but two, the last seven of which were scanned turned or mirrored."""
    rng, count, center = np.random.default_rng(7), SHAPE[0], window_center(SHAPE)
    moves = [rigid_matrix(*rng.normal(0, 2, 2), rng.normal(0, 0.05), center) for _ in range(count)]
    moves[0] = moves[3] = np.eye(3)
    none = np.full(count, np.nan)
    rigid = SliceTransforms(
        np.array(moves), "rigid_body", none, none, np.ones(count), ((),) * count, center
    )
    turned = (
        TurnedSlices(first=12, last=15, symmetry="turn_90"),
        TurnedSlices(first=14, symmetry="mirror_x"),
        TurnedSlices(first=17, last=17, symmetry="mirror_y", lattice_turned=False),
    )
    return rigid.turned_back(turned)


@pytest.mark.parametrize(
    "compute",
    [
        ExecutorSettings(block_edge=8),  # slice by slice
        ExecutorSettings(executor="threads", n_workers=2, block_edge=15),
        ExecutorSettings(executor="dask", n_workers=2, block_edge=17),
        ExecutorSettings(),
    ],
    ids=lambda compute: f"{compute.executor}-{compute.block_edge}",
)
def test_the_bytes_are_those_in_core_whatever_the_slabs(
    stack, paths, transforms, tmp_path, compute
):
    made = align_by_block(*paths, transforms, tmp_path / "out", compute=compute)

    quality = align_image_quality(stack[0], transforms, AlignmentSettings())
    crystals = align_orientations(stack[1], transforms)
    for path, expected in ((made.image_quality, quality), (made.orientations, crystals)):
        found = read_volume(path)
        assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()
        assert found.identical(expected)


def test_the_spline_is_that_of_the_settings_and_only_what_it_moves_is_computed_again(
    stack, paths, transforms, tmp_path
):
    compute = ExecutorSettings(block_edge=15)
    first = align_by_block(*paths, transforms, tmp_path / "out", compute=compute)
    linear = AlignmentSettings(spline_order=1)
    again = align_by_block(*paths, transforms, tmp_path / "out", compute=compute, alignment=linear)

    assert (first.computed, again.computed, again.kept) == (10, 5, 5)
    expected = align_image_quality(stack[0], transforms, linear)
    assert read_volume(again.image_quality).identical(expected)


def test_a_stack_of_other_slices_than_the_transforms_is_refused(paths, transforms, tmp_path):
    fewer = replace(transforms, matrices=transforms.matrices[1:])
    with pytest.raises(InputError, match="one transform for each"):
        align_by_block(*paths, fewer, tmp_path / "out")
    with pytest.raises(InputError, match="no volume of image quality"):
        align_by_block(paths[1], paths[1], transforms, tmp_path / "out")
