"""Statistics of blocks add up to those of the whole volume, to the last bit."""

from dataclasses import fields
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from electrode_grains.errors import InputError
from electrode_grains.morphometry import (
    BlockStatistics,
    characterize_grains,
    hull_voxel_count,
    measure_contacts,
    measure_volume,
    merge_blocks,
    summarize_particle,
    tabulate_contacts,
    tabulate_grains,
    transition_areas,
)
from electrode_grains.morphometry.crofton import DIRECTIONS
from proofs import proves

CUBIC = (1.0, 1.0, 1.0)
small_labels = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.integers(0, 4)
)


def assert_same(first, second):
    for field in fields(BlockStatistics):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert np.array_equal(one, other), field.name
        assert np.asarray(one).dtype == np.asarray(other).dtype, field.name


def cells(shape, count, seed=0):
    """A mosaic of nearest seeds, one cell in eight empty."""
    seeds = np.random.default_rng(seed).random((count, 3)) * shape
    place = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    nearest = ((place - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
    return np.where(nearest % 8 == 0, 0, nearest)


def cut(volume, block_shape):
    """Blocks with their margins, as a cluster would hold them."""
    starts = [range(0, n, step) for n, step in zip(volume.shape, block_shape, strict=True)]
    for offset in product(*starts):
        margin, place = [], []
        for first, step, size in zip(offset, block_shape, volume.shape, strict=True):
            last = min(first + step, size)
            margin.append((int(first > 0), int(last < size)))
            place.append(slice(first - margin[-1][0], last + margin[-1][1]))
        yield BlockStatistics.from_block(volume[tuple(place)], offset, volume.shape, margin)


@settings(deadline=None, max_examples=40)
@given(labels=small_labels, step=st.tuples(*[st.integers(1, 4)] * 3), seed=st.integers(0, 99))
def test_blocks_add_up_in_any_order_and_grouping(labels, step, seed):
    rng = np.random.default_rng(seed)
    parts = list(cut(labels, step))
    while len(parts) > 1:
        first, second = (parts.pop(rng.integers(len(parts))) for _ in range(2))
        parts.append(first.merge(second))
    assert_same(parts[0], BlockStatistics.from_block(labels))


@pytest.mark.parametrize(
    "block_shape", [(17, 17, 17), (25, 25, 25), (31, 48, 48), (9, 50, 13), (1, 60, 60)]
)
def test_block_sizes_and_threads_give_the_same_tables(block_shape):
    labels = cells((40, 50, 52), 60)
    whole = measure_volume(labels, threads=1)
    blocks = measure_volume(labels, block_shape, threads=2)
    assert_same(whole, blocks)
    assert tabulate_grains(whole, (3, 2, 1)).equals(tabulate_grains(blocks, (3, 2, 1)))
    assert tabulate_contacts(whole, (3, 2, 1)).equals(tabulate_contacts(blocks, (3, 2, 1)))


@settings(deadline=None, max_examples=40)
@given(labels=small_labels)
def test_hulls_from_extreme_points_equal_hulls_of_all_voxels(labels):
    table = characterize_grains(labels, CUBIC)
    for label, count in table[["label", "hull_voxel_count"]].to_numpy():
        assert count == hull_voxel_count(np.argwhere(labels == label))


def test_hulls_of_the_cells_of_a_mosaic():
    labels = cells((30, 36, 40), 20, seed=3)
    table = characterize_grains(labels, CUBIC)
    for label, count in table[["label", "hull_voxel_count"]].to_numpy():
        assert count == hull_voxel_count(np.argwhere(labels == label))


@settings(deadline=None, max_examples=30)
@given(labels=small_labels)
def test_moments_and_boxes_equal_a_direct_sum(labels):
    partial = measure_volume(labels)
    for label, sums, lower, upper in zip(
        partial.labels, partial.sums, partial.lower, partial.upper, strict=True
    ):
        z, y, x = place = np.argwhere(labels == label).T
        direct = [
            z.size,
            *place.sum(1),
            *((a * b).sum() for a, b in ((z, z), (z, y), (z, x), (y, y), (y, x), (x, x))),
        ]
        assert sums.tolist() == direct
        assert lower.tolist() == place.min(1).tolist()
        assert upper.tolist() == (place.max(1) + 1).tolist()


def test_24_rotations_and_their_mirrors_change_no_whole_number():
    labels = cells((14, 16, 18), 12, seed=5)
    before = characterize_grains(labels, CUBIC)
    for axes, flips in product(permutations(range(3)), product([1, -1], repeat=3)):
        turned = labels.transpose(axes)[tuple(slice(None, None, flip) for flip in flips)]
        after = characterize_grains(turned, CUBIC)
        for column in ("label", "voxel_count", "hull_voxel_count", "neighbour_count"):
            assert after[column].tolist() == before[column].tolist()
        np.testing.assert_allclose(after["elongation"], before["elongation"], rtol=1e-12)
        np.testing.assert_allclose(
            after["surface_area_nm2"], before["surface_area_nm2"], rtol=1e-12
        )


@settings(deadline=None, max_examples=20)
@given(labels=small_labels, shift=st.tuples(*[st.integers(1, 200)] * 3))
def test_translation_changes_no_descriptor_by_a_bit(labels, shift):
    near = np.pad(labels, 1)
    far = np.pad(labels, [(step, 1) for step in shift])
    columns = ["surface_area_nm2", "convexity", "elongation", "azimuthal_angle", "polar_angle"]
    first, second = characterize_grains(near, (3, 2, 1)), characterize_grains(far, (3, 2, 1))
    assert first[columns].equals(second[columns])
    assert measure_contacts(near, (3, 2, 1)).equals(measure_contacts(far, (3, 2, 1)))


def test_one_grain_that_fills_a_large_volume_does_not_overflow():
    labels = np.broadcast_to(np.uint8(1), (400, 400, 400))
    row = characterize_grains(labels, CUBIC).loc[0]
    # Centres 0 to 399 along each axis: variance (400^2 - 1) / 12.
    assert row["half_axis_long_nm"] == pytest.approx(np.sqrt(5 * (400**2 - 1) / 12), rel=1e-12)
    assert row["hull_voxel_count"] == row["voxel_count"] == 400**3


def test_every_voxel_may_be_a_grain():
    labels = np.arange(1, 7 * 40 * 90 + 1).reshape(7, 40, 90)
    table = characterize_grains(labels, CUBIC)
    assert len(table) == labels.size
    assert (table["hull_voxel_count"] == 1).all()
    np.testing.assert_allclose(table["surface_area_nm2"], 2 * transition_areas(CUBIC).sum())
    # Of 26 neighbours each counts its 13 ahead of it: as many pairs as the window has.
    pairs = sum((7 - abs(z)) * (40 - abs(y)) * (90 - abs(x)) for z, y, x in DIRECTIONS)
    assert summarize_particle(labels, CUBIC)["contact_count"] == pairs


def test_memory_mapped_read_only_and_byte_swapped_labels(tmp_path):
    labels = cells((12, 14, 16), 9)
    expected = characterize_grains(labels, (3, 2, 1))
    np.save(tmp_path / "labels.npy", labels.astype(">u2"))
    mapped = np.load(tmp_path / "labels.npy", mmap_mode="r")
    assert characterize_grains(mapped, (3, 2, 1)).equals(expected)


@settings(deadline=None, max_examples=20)
@given(labels=small_labels, top=st.sampled_from([2**31 + 7, 2**40, 2**63 - 1, 2**64 - 1]))
def test_far_apart_ids_measure_the_same(labels, top):
    names = np.array([0, 3, 70_000, top - 5, top], np.uint64)
    small, large = characterize_grains(labels, CUBIC), characterize_grains(names[labels], CUBIC)
    assert names[small["label"].to_numpy()].tolist() == large["label"].tolist()
    assert small.drop(columns="label").equals(large.drop(columns="label"))


@proves("grain_table", "mean_image_quality", oracle="high precision", by="mean over a mask")
def test_mean_image_quality_of_each_grain():
    labels = np.zeros((2, 2, 3), np.int32)
    labels[0, :, :2], labels[1, :, 2] = 9, 2**31 - 1
    quality = np.arange(12.0).reshape(2, 2, 3)
    table = characterize_grains(labels, CUBIC, image_quality=quality)
    assert table["mean_image_quality"].tolist() == [2.0, 9.5]
    with pytest.raises(InputError, match=r"\(2, 2, 2\)"):
        characterize_grains(labels, CUBIC, image_quality=quality[..., :2])


def test_rows_of_the_contact_table_add_up_to_the_surface_of_a_grain():
    labels = cells((12, 14, 16), 9)
    grains = characterize_grains(labels, (3, 2, 1)).set_index("label")["surface_area_nm2"]
    contacts = measure_contacts(labels, (3, 2, 1))
    for label, surface in grains.items():
        own = (contacts[["label_a", "label_b"]] == label).any(axis=1)
        assert contacts.loc[own, "interface_area_nm2"].sum() == pytest.approx(surface, rel=1e-12)


@proves(
    "grain_table", "degenerate_reason", "place_reason", oracle="closed form", by="degenerate grains"
)
def test_reasons_name_all_that_is_null():
    labels = np.zeros((12, 12, 12), int)
    labels[1, 1, 1] = 1
    labels[3, 3, 3:6] = 2
    labels[5, 1:5, 1:5] = 3
    labels[7:10, 1:4, 1:4] = 4
    labels[7:11, 6:9, 6:8] = 5
    labels[5, 7:9, 7:12] = 6
    table = characterize_grains(labels, CUBIC).set_index("label")
    assert table["degenerate_reason"].tolist() == [
        "one voxel",
        "voxels on a line",
        "voxels in a plane; no longest half-axis",
        "no longest half-axis",
        "",
        "voxels in a plane",
    ]
    nulls = table[["elongation", "flatness", "azimuthal_angle"]].isna()
    assert nulls.sum(axis=1).tolist() == [3, 1, 1, 1, 0, 0]
    numbers = table.select_dtypes("number").to_numpy(float)
    assert not np.isinf(numbers).any()


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 0, 2), (2, 3, 0), (0, 0, 0)])
def test_volumes_without_voxels(shape):
    labels = np.zeros(shape, int)
    assert characterize_grains(labels, CUBIC).empty
    assert measure_contacts(labels, CUBIC).empty
    assert summarize_particle(labels, CUBIC)["grain_count"] == 0


def test_blocks_that_do_not_fit_are_refused():
    block = np.ones((3, 4, 4), int)
    whole = ((0, 0), (0, 0))
    with pytest.raises(InputError, match=r"margin \(0, 0\)\n.*margin \(1, 0\)"):
        BlockStatistics.from_block(block, (2, 0, 0), (5, 4, 4), ((0, 0), *whole))
    with pytest.raises(InputError, match="planes 3 to 6 of 5"):
        BlockStatistics.from_block(block, (3, 0, 0), (5, 4, 4), ((0, 0), *whole))
    with pytest.raises(InputError, match=r"\(3, 4, 4\), \(4, 4, 4\)"):
        merge_blocks([BlockStatistics.from_block(np.ones((n, 4, 4), int)) for n in (3, 4)])
    with pytest.raises(InputError, match="windows \\[\\]"):
        merge_blocks([])


def test_points_too_far_apart_for_whole_numbers_are_refused():
    with pytest.raises(InputError, match="1048577 voxels"):
        hull_voxel_count([(0, 0, 0), (0, 2**20 + 1, 0)])


def test_a_negative_label_is_named_with_its_place():
    labels = np.ones((2, 3, 4), int)
    labels[1, 2, 3] = -8
    with pytest.raises(InputError, match=r"\(1, 2, 3\)\n.*label -8"):
        measure_contacts(labels, CUBIC)
