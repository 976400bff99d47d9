"""Grains by block are the grains in core where orientations decide."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.blocks import SerialExecutor, ThreadExecutor
from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import laue_group, multiply, random_orientations
from electrode_grains.ebsd.pseudo_cube import flip_excess, variants
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import (
    BlockOrientations,
    BlockProbabilities,
    SegmentationSettings,
    link_points,
    segment_by_block,
    segment_grains_with_report,
)
from electrode_grains.grains.block_cutting import cut_by_block
from electrode_grains.grains.block_linking import link_by_block
from electrode_grains.grains.block_orientations import Channels, flip_excess_by_block
from electrode_grains.grains.block_spans import find_spans, means_by_block
from electrode_grains.grains.block_work import BlockWork, Relabelled, identity
from electrode_grains.grains.cutting import cut_by_orientation
from electrode_grains.grains.labelling import compact_labels

SETTINGS = SegmentationSettings(minima_depth=0.01, merge_boundary=0.4, minimum_voxels=12)
SHAPE = (34, 37, 45)
QUARTZ = ((0.0, 0.0, 1.0, 60.0),)


def polycrystal(seed, shape=SHAPE, laue="-3m", flipped=0.0):
    """Class probabilities and stored orientations of a ball of grains, one of them a long rod.

    Boundaries have gaps and noise; points scatter, are wrongly indexed, unknown, or without
    confidence; whole patches have another c axis.
    """
    rng = np.random.default_rng(seed)
    seeds = rng.random((60, 3)) * shape
    place = np.stack(np.mgrid[tuple(slice(n) for n in shape)], -1)
    truth = ((place[..., None, :] - seeds) ** 2).sum(-1).argmin(-1) + 1
    z, y, x = np.moveaxis(place, -1, 0)
    truth[(abs(y - shape[1] // 2) < 3) & (abs(z - shape[0] // 2) < 3)] = 61  # through all blocks
    drawn = ndimage.grey_dilation(truth, 3) != truth
    unit = [2 * each / (size - 1) - 1 for each, size in zip((z, y, x), shape, strict=True)]
    radius = np.sqrt(sum(each**2 for each in unit))
    background = 1 / (1 + np.exp(-20 * (radius - 0.95)))
    noise = ndimage.gaussian_filter(rng.random(shape), 1)
    noise = (noise - noise.min()) / np.ptp(noise)
    boundary = (1 - background) * np.clip(
        ndimage.gaussian_filter(0.8 * drawn, 0.6) * 2 * noise, 0, 1
    )
    probability = np.float32(np.stack([boundary, 1 - background - boundary, background]))
    group = laue_group(laue)
    crystals = random_orientations(62, rng)[truth]
    if flipped:
        patches = ndimage.zoom(rng.random([n // 4 + 1 for n in shape]), 4.5, order=0)
        patches = patches[tuple(slice(n) for n in shape)] < flipped
        crystals[patches] = multiply(variants()[rng.integers(1, 4, shape)], crystals)[patches]
    scatter = np.concatenate([np.ones((*shape, 1)), rng.normal(0, 0.008, (*shape, 3))], -1)
    scatter /= np.linalg.norm(scatter, axis=-1, keepdims=True)
    field = multiply(group[rng.integers(0, len(group), shape)], multiply(scatter, crystals))
    wrong = rng.random(shape) < 0.08
    field[wrong] = random_orientations(int(wrong.sum()), rng)
    field[rng.random(shape) < 0.05] = np.nan
    field[4:9, 20:30, 6:30] = np.nan
    confidence = rng.random(shape)
    confidence[rng.random(shape) < 0.1] = 0
    channels = np.concatenate([np.moveaxis(field, -1, 0), confidence[None]]).astype(np.float32)
    return probability, channels


def in_core(probability, channels, settings, operators=(), measured=None):
    field = OrientationField.from_channels(
        channels, laue_group=settings.laue_group, operators=operators
    )
    return segment_grains_with_report(
        probability, settings=settings, orientations=field, measured=measured
    )


def by_block(probability, channels, edge, settings, operators=(), measured=None, executor=None):
    labels = np.zeros(probability[0].shape, np.int32)
    found = segment_by_block(
        BlockProbabilities(*probability, measured),
        labels,
        settings=settings,
        executor=executor or SerialExecutor(),
        block_edge=edge,
        scratch=lambda name: np.zeros_like(labels),
        orientations=BlockOrientations(Channels(tuple(channels)), settings.laue_group, operators),
    )
    return labels, found


def sha256(labels):
    return hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()


def assert_same(one, other):
    (labels, found), (expected, report) = one, other
    assert found.passes == report.passes
    assert sha256(labels) == sha256(expected)
    assert found.grains == expected.max()
    assert found.pseudo_symmetry == report.pseudo_symmetry


@pytest.fixture(scope="module")
def crystals():
    return polycrystal(3)


@pytest.fixture(scope="module")
def combined(crystals):
    return in_core(*crystals, SETTINGS)


@pytest.mark.parametrize("edge", [17, 25, 31, 100])
def test_labels_and_reports_are_those_in_core(crystals, combined, edge):
    assert_same(by_block(*crystals, edge, SETTINGS), combined)


def test_every_pass_has_something_to_do(combined):
    labels, report = combined
    assert labels.max() > 10
    assert report.basins_cut_by_orientation > 5
    assert report.merging.merged_by_orientation > 5
    assert report.merging.merged_by_boundary > 0
    assert report.merging.kept_by_orientation > 0
    assert report.merging.regions_without_orientation > 0
    assert report.interface_voxels_placed > 10
    assert report.interface_voxels_moved > 10
    assert report.joined_count > 0
    assert not report.pseudo_symmetry


SMALL = (21, 22, 26)
CASES = {
    "orientation": (
        polycrystal(4, SMALL), SETTINGS.replace(merge_mode="orientation"), ()
    ),
    "cubic": (
        polycrystal(5, SMALL, "m-3m"), SETTINGS.replace(laue_group="m-3m"), ()
    ),
    "pseudo-cube, found": (polycrystal(6, SMALL, flipped=0.3), SETTINGS, ()),
    "pseudo-cube, on": (
        polycrystal(7, SMALL), SETTINGS.replace(pseudo_symmetry="on"), ()
    ),
    "operators": (
        polycrystal(8, SMALL), SETTINGS.replace(pseudo_symmetry="on"), QUARTZ
    ),
    "far and often": (
        polycrystal(9, SMALL),
        SETTINGS.replace(
            refine_steps=5, join_reach=4, place_sweeps=1, minimum_voxels=2,
            merge_misorientation_degrees=20.0,
        ),
        (),
    ),
    "no angle": (
        polycrystal(10, SMALL),
        SETTINGS.replace(merge_misorientation_degrees=0.0, refine_steps=1, join_reach=0),
        (),
    ),
    "other passes": (
        polycrystal(11, SMALL),
        SETTINGS.replace(
            passes=(
                "flood", "cut", "place", "merge", "join", "drop_background", "clean_up", "refine",
            ),
            merge_evidence="score",
        ),
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_settings_count_as_in_core(name):
    volumes, chosen, operators = CASES[name]
    expected = in_core(*volumes, chosen, operators)

    for edge in (8, 13):
        assert_same(by_block(*volumes, edge, chosen, operators), expected)
    if name in ("pseudo-cube, found", "pseudo-cube, on", "operators"):
        assert expected[1].pseudo_symmetry


def test_what_was_not_measured_is_no_grain_in_blocks_either():
    volumes, chosen, _ = CASES["pseudo-cube, found"]
    measured = np.ones(SMALL, bool)
    measured[9:11] = measured[:, :4] = False
    expected = in_core(*volumes, chosen, measured=measured)

    assert_same(by_block(*volumes, 8, chosen, measured=measured), expected)


def test_threads_give_the_same_grains():
    volumes, chosen, operators = CASES["orientation"]

    assert_same(
        by_block(*volumes, 10, chosen, operators, executor=ThreadExecutor(3)),
        in_core(*volumes, chosen, operators),
    )


def test_without_any_orientation_the_boundary_decides():
    probability, channels = CASES["orientation"][0]
    unknown = np.full_like(channels, np.nan)

    labels, found = by_block(probability, unknown, 11, SETTINGS)

    expected, report = in_core(probability, unknown, SETTINGS)
    np.testing.assert_array_equal(labels, expected)
    assert found.passes == report.passes
    assert found.warnings == report.warnings[:1]
    assert "boundary alone" in found.warnings[0]
    with pytest.raises(SettingsError, match="needs orientations, and there are none"):
        by_block(probability, unknown, 11, SETTINGS.replace(merge_mode="orientation"))


def test_orientations_take_no_part_where_the_boundary_is_to_decide():
    (probability, channels), _, _ = CASES["orientation"]
    chosen = SETTINGS.replace(merge_mode="iq")

    assert_same(by_block(probability, channels, 11, chosen), in_core(probability, channels, chosen))


def test_channels_that_do_not_fit_are_refused():
    (probability, channels), _, _ = CASES["orientation"]
    for wrong, problem in ((channels[:, 1:], "do not fit each other"), (channels[:3], "holds no")):
        with pytest.raises(InputError, match=problem):
            by_block(probability, wrong, 11, SETTINGS)


def work(shape, edge):
    return BlockWork(SerialExecutor(), edge, lambda name: np.zeros(shape, np.int32), shape)


def scattered(seed, shape, operators=()):
    """Few crystals that scatter by about the threshold, with points that are not known."""
    rng = np.random.default_rng(seed)
    crystals = random_orientations(4, rng)[rng.integers(0, 4, shape) // 2]
    turned = np.concatenate([np.ones((*shape, 1)), rng.normal(0, 0.02, (*shape, 3))], -1)
    points = multiply(turned / np.linalg.norm(turned, axis=-1, keepdims=True), crystals)
    points[rng.random(shape) < 0.1] = np.nan
    channels = np.concatenate([np.moveaxis(points, -1, 0), rng.random((1, *shape))])
    channels[4, rng.random(shape) < 0.1] = 0
    channels = channels.astype(np.float32)
    whole = OrientationField.from_channels(channels, laue_group="-3m", operators=operators)
    return BlockOrientations(Channels(tuple(channels)), "-3m", operators), whole


drawn = st.tuples(st.integers(0, 2**16), st.tuples(*[st.integers(1, 9)] * 3), st.integers(1, 6))


@settings(max_examples=30, deadline=None)
@given(drawn)
def test_bodies_are_linked_through_all_blocks(case):
    seed, shape, edge = case
    by_parts, whole = scattered(seed, shape)

    linked = link_by_block(by_parts, SETTINGS, work(shape, edge))

    np.testing.assert_array_equal(linked, link_points(whole, settings=SETTINGS))


@settings(max_examples=30, deadline=None)
@given(drawn)
def test_regions_are_cut_as_in_core(case):
    """Also where seeds have to grow through many blocks, and where nothing grows."""
    seed, shape, edge = case
    by_parts, whole = scattered(seed, shape)
    blocks = np.random.default_rng(seed).integers(0, 3, shape)
    regions, ids = compact_labels(ndimage.median_filter(blocks, 3))
    own = work(shape, edge)
    linked = link_by_block(by_parts, SETTINGS, own)

    cut, report = cut_by_block(Relabelled(regions, identity(len(ids) - 1)), linked, SETTINGS, own)

    expected, count = cut_by_orientation(regions, whole, settings=SETTINGS)
    np.testing.assert_array_equal(cut[np.s_[:, :, :]], expected)
    assert report.regions_cut == count


def test_what_no_orientation_reaches_for_many_blocks_is_filled_from_afar():
    shape = (3, 4, 90)
    channels = np.zeros((4, *shape), np.float32)
    channels[0] = 1
    channels[:, :, :, :62] = np.nan  # of one region, whose points all lie at its end
    regions = np.ones(shape, np.int32)
    by_parts, own = BlockOrientations(Channels(tuple(channels))), work(shape, 7)

    cut, _ = cut_by_block(
        Relabelled(regions, identity(1)), link_by_block(by_parts, SETTINGS, own), SETTINGS, own
    )

    whole = OrientationField.from_channels(channels)
    expected, _ = cut_by_orientation(regions, whole, settings=SETTINGS)
    np.testing.assert_array_equal(cut[np.s_[:, :, :]], expected)
    assert (expected == 1).all()


@settings(max_examples=30, deadline=None)
@given(drawn)
def test_means_have_the_bits_of_those_in_core(case):
    seed, shape, edge = case
    by_parts, whole = scattered(seed, shape)
    regions, ids = compact_labels(np.random.default_rng(seed).integers(0, 5, shape))
    labels, own = Relabelled(regions, identity(len(ids) - 1)), work(shape, edge)

    means = means_by_block(labels, find_spans(labels, own), by_parts, own)

    expected = whole.means(regions)
    for name in ("mean", "weight", "share", "points"):
        np.testing.assert_array_equal(getattr(means, name), getattr(expected, name))


@settings(max_examples=20, deadline=None)
@given(drawn, st.sampled_from([(), QUARTZ]))
def test_flips_are_counted_once_over_all_faces(case, operators):
    seed, shape, edge = case
    by_parts, whole = scattered(seed, shape, operators)
    background = np.random.default_rng(seed).random(shape)

    found = flip_excess_by_block(by_parts, background, 0.8, work(shape, edge))

    assert found == flip_excess(whole, background <= 0.8)
