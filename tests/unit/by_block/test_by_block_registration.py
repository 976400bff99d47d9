"""How slices on disk moved: the numbers of the node that holds the stack, bit for bit."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from electrode_grains.alignment import AlignmentSettings
from electrode_grains.alignment.fixed_lines import (
    planes_without_fixed_lines,
    without_fixed_lines,
)
from electrode_grains.alignment.pairs import prepare_slices
from electrode_grains.alignment.planes import Planes, PreparedPlanes, finite_median
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import register_by_block
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.ebsd import StackSettings
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.pipelines.acquisition.nodes import _scan, slice_name
from electrode_grains.pipelines.preprocessing.nodes import (
    read_stack,
    register_slices,
    tabulate_slices,
)

SHAPE = (18, 72, 66)
TRANSFORMS = "electrode_grains.alignment.SliceTransforms"


class InMemory(Planes):
    """Planes of an array."""

    def __init__(self, values):
        super().__init__(values.shape)
        self.values = values

    def __getitem__(self, z):
        return self.values[z]


@pytest.fixture(scope="module")
def stack():
    """A virtual particle as it is scanned: image quality, orientations, index."""
    rng = np.random.default_rng(4)
    particle = virtual_particle(SHAPE, (50.0, 50.0, 50.0), rng)
    scanned = acquire(particle, rng, AcquisitionSettings(annotated_slices=(5,)))
    scans = {slice_name(z): _scan(scanned, z, particle.spacing, "edax_2") for z in range(SHAPE[0])}
    return read_stack(scans, StackSettings())


def striped(quality):
    """Stripes and a dead column, and points without a value."""
    values = quality.to_numpy().copy()
    values[:, :, 21] += 90
    values[:, :, 40] = 55
    values[:, 30] = 0.6 * values[:, 30] - 40
    values[4, 10:20, 10:20] = np.nan
    return quality.copy(data=values)


def lost(quality):
    values = quality.to_numpy().copy()
    values[[0, 9]] = np.nan
    return quality.copy(data=values)


def turned(quality):
    values = quality.to_numpy().copy()
    values[11:] = values[11:, ::-1]
    return quality.copy(data=values)


UNDO = ({"first": 11, "symmetry": "mirror_y"},)
CASES = {
    "plain": (lambda quality: quality, {}),
    "lines": (striped, {}),
    "lines, as they are": (striped, {"suppress_fixed_lines": False, "mask_background": False}),
    "lost slices": (lost, {"lattice_rotation": False}),
    "turned": (turned, {}),
    "undone": (turned, {"undo": UNDO}),
    "previous": (lost, {"reference": "previous", "mode": "affine"}),
    "first": (lambda quality: quality, {"reference": "first", "mode": "translation"}),
    "none": (striped, {"mode": "none"}),
}
SERIAL = ExecutorSettings()


def both(stack, change, options, folder, compute=SERIAL):
    """Transforms and table of a run, and those by block, as files."""
    quality, orientations, index = stack
    quality, settings = change(quality), AlignmentSettings.checked(**options)
    paths = []
    for volume in (quality, orientations):
        paths.append(folder / f"{volume.name}.ome.zarr")
        VolumeDataset(filepath=str(paths[-1])).save(volume)
    expected = register_slices(quality, orientations, index, settings)
    made = register_by_block(*paths, index, folder / "out", compute=compute, alignment=settings)
    ResultDataset(filepath=str(folder / "run.json"), model=TRANSFORMS).save(expected)
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "out/slice_table.parquet"),
        tabulate_slices(expected, index),
        check_exact=True,
    )
    return (
        (folder / "run.json").read_bytes(),
        (folder / "out/slice_transforms.json").read_bytes(),
        made,
    )


@pytest.mark.parametrize("case", CASES)
def test_transforms_are_those_of_a_run_bit_for_bit(stack, case, tmp_path):
    in_core, by_block, _ = both(stack, *CASES[case], tmp_path)
    assert by_block == in_core


@pytest.mark.parametrize(
    "compute",
    [
        ExecutorSettings(executor="threads", n_workers=2),
        ExecutorSettings(executor="dask", n_workers=2),
    ],
    ids=lambda compute: compute.executor,
)
def test_transforms_do_not_depend_on_who_registers(stack, compute, tmp_path):
    in_core, by_block, _ = both(stack, striped, {}, tmp_path, compute)
    assert by_block == in_core


def test_a_second_call_registers_only_pairs_that_changed(stack, tmp_path):
    quality, orientations, index = stack
    paths = [tmp_path / "quality.ome.zarr", tmp_path / "orientations.ome.zarr"]
    for path, volume in zip(paths, (quality, orientations), strict=True):
        VolumeDataset(filepath=str(path)).save(volume)
    first = register_by_block(*paths, index, tmp_path / "out")
    again = register_by_block(*paths, index, tmp_path / "out")
    assert (again.computed, again.kept) == (0, first.computed)

    values = quality.to_numpy().copy()
    values[12] = values[12][::-1]
    VolumeDataset(filepath=str(paths[0])).save(quality.copy(data=values))
    other = register_by_block(*paths, index, tmp_path / "out")
    assert 4 <= other.computed <= 8  # pairs and checks of one slice, and checks over it
    expected = register_slices(quality.copy(data=values), orientations, index, AlignmentSettings())
    assert other.transforms.to_dict() == expected.to_dict()


def test_volumes_that_do_not_fit_each_other_are_refused(stack, tmp_path):
    quality, orientations, index = stack
    paths = [tmp_path / "quality.ome.zarr", tmp_path / "orientations.ome.zarr"]
    for path, volume in zip(paths, (quality[1:], orientations), strict=True):
        VolumeDataset(filepath=str(path)).save(volume)
    with pytest.raises(InputError, match="do not fit"):
        register_by_block(*paths, index, tmp_path / "out")
    beyond = AlignmentSettings.checked(undo=[{"first": 40, "symmetry": "mirror_x"}])
    VolumeDataset(filepath=str(paths[0])).save(quality)
    with pytest.raises(SettingsError, match="does not have"):
        register_by_block(*paths, index, tmp_path / "out", alignment=beyond)
    with pytest.raises(InputError, match="reliably"):
        register_by_block(
            *_with_noise(paths, quality), index, tmp_path / "out",
            alignment=AlignmentSettings(strict=True),
        )  # fmt: skip


def _with_noise(paths, quality):
    values = quality.to_numpy().copy()
    values[7] = np.random.default_rng(0).gamma(4, 20, values[7].shape)
    VolumeDataset(filepath=str(paths[0])).save(quality.copy(data=values))
    return paths


@given(
    arrays.arrays(
        np.float64, (2, 2, 3),
        elements=st.one_of(st.floats(width=32), st.sampled_from([0.0, -0.0, np.nan, np.inf])),
    )
)  # fmt: skip
def test_a_median_by_bits_is_that_of_numpy(values):
    finite = values[np.isfinite(values)]
    if finite.size:
        assert finite_median(InMemory(values)) == np.median(finite)


def test_prepared_slices_are_those_of_a_stack_in_core_in_any_order(stack):
    values = striped(lost(stack[0])).to_numpy().astype(float)
    for masked in (False, True):
        expected = prepare_slices(values, 0.6, masked)
        prepared = PreparedPlanes(InMemory(values), 0.6, masked)
        assert prepared.shown == [image is not None for image in expected]
        for z in [*range(18), 3, 17, -1, 0, *range(17, 0, -3)]:
            assert (prepared[z] is None) == (expected[z] is None)
            if expected[z] is not None:
                assert prepared[z].tobytes() == expected[z].tobytes()


@pytest.mark.parametrize(
    ("change", "lines"), [(striped, True), (lambda q: striped(lost(q)), True), (lost, False)]
)
def test_lines_are_taken_out_of_planes_as_of_a_stack_in_core(stack, change, lines):
    values = change(stack[0]).to_numpy().astype(float)
    expected, note = without_fixed_lines(values)
    found, found_note = planes_without_fixed_lines(InMemory(values))
    assert found_note == note
    assert lines == (note is not None)
    np.testing.assert_array_equal(np.stack(list(found)), expected)
