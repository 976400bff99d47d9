"""Grains by block are the grains in core."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.blocks import SerialExecutor, ThreadExecutor, divide
from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains import (
    BlockProbabilities,
    SegmentationSettings,
    segment_by_block,
    segment_grains_with_report,
)
from electrode_grains.grains.block_particle import join_pieces
from electrode_grains.grains.block_regions import add_contacts, block_contacts, block_pieces
from electrode_grains.grains.block_work import identity
from electrode_grains.grains.labelling import connected_pieces, measure_faces
from electrode_grains.morphometry import measure_by_block, measure_particle

SETTINGS = SegmentationSettings(merge_mode="iq", minima_depth=0.01, merge_boundary=0.4)


def particle(shape, seed=0):
    """Class probabilities of a rough ball of grains, shape (3, z, y, x)."""
    generator = np.random.default_rng(seed)

    def noise(width):
        smooth = ndimage.gaussian_filter(generator.random(shape), width)
        return (smooth - smooth.min()) / np.ptp(smooth)

    place = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in place)) + 0.5 * (noise(3) - 0.5)
    background = 1 / (1 + np.exp(-12 * (radius - 0.75)))
    boundary = (1 - background) * noise(1.5)
    return np.float32(np.stack([boundary, 1 - background - boundary, background]))


def by_block(probability, edge, settings=SETTINGS, measured=None, executor=None):
    labels = np.zeros(probability[0].shape, np.int32)
    found = segment_by_block(
        BlockProbabilities(*probability, measured),
        labels,
        settings=settings,
        executor=executor or SerialExecutor(),
        block_edge=edge,
        scratch=lambda name: np.zeros_like(labels),
    )
    return labels, found


def sha256(labels):
    return hashlib.sha256(labels.tobytes()).hexdigest()


PROBABILITY = particle((38, 41, 52))


@pytest.mark.parametrize("edge", [17, 25, 31, 48, 100])
def test_labels_and_reports_are_those_in_core(edge):
    labels, found = by_block(PROBABILITY, edge)
    in_core, report = segment_grains_with_report(PROBABILITY, settings=SETTINGS)

    assert sha256(labels) == sha256(in_core)
    assert found.grains == in_core.max() > 5
    assert found.passes == report.passes


@pytest.mark.parametrize(
    "changes",
    [
        {"particle": "all", "minimum_voxels": 200},
        {"rim_voxels": 0, "place_sweeps": 0},
        {"rim_voxels": 5, "background_share": 0.2},
        {"merge_mode": "none"},
        {"merge_evidence": "score"},
        {"merge_evidence": "score", "merge_quantile": None},
        {"passes": ("flood", "merge", "place", "clean_up")},
    ],
)
def test_settings_count_as_in_core(changes):
    settings = SETTINGS.replace(**changes)
    labels, found = by_block(PROBABILITY, 13, settings)
    in_core, report = segment_grains_with_report(PROBABILITY, settings=settings)

    np.testing.assert_array_equal(labels, in_core)
    assert found.passes == report.passes
    cleanup = dict(found.passes)["clean_up"]
    assert cleanup.grain_voxels == (labels > 0).sum()


def test_a_particle_hangs_together_across_a_lost_slice():
    measured = np.ones(PROBABILITY.shape[1:], bool)
    measured[19:21] = False
    measured[:, :3] = False

    for edge in (7, 20):
        np.testing.assert_array_equal(
            by_block(PROBABILITY, edge, measured=measured)[0],
            segment_grains_with_report(PROBABILITY, settings=SETTINGS, measured=measured)[0],
        )


def test_threads_give_the_same_grains():
    np.testing.assert_array_equal(
        by_block(PROBABILITY, 16, executor=ThreadExecutor(3))[0],
        segment_grains_with_report(PROBABILITY, settings=SETTINGS)[0],
    )


labellings = st.tuples(
    st.tuples(*[st.integers(1, 7)] * 3), st.integers(0, 2**32 - 1), st.integers(1, 5)
)


@given(labellings)
def test_pieces_of_blocks_join_to_those_of_the_volume(drawn):
    shape, seed, edge = drawn
    labels = np.random.default_rng(seed).integers(0, 3, shape)
    boxes = divide(shape, edge)
    tables, origins, firsts, sizes = join_pieces(
        [block_pieces(labels, box) for box in boxes], shape, edge
    )
    found = np.zeros(shape, int)
    for box, table in zip(boxes, tables, strict=True):
        found[box] = table[connected_pieces(labels[box])[0]]
    pieces, count = connected_pieces(labels)

    np.testing.assert_array_equal(found, pieces)
    np.testing.assert_array_equal(sizes[1:], np.bincount(pieces.ravel())[1:])
    np.testing.assert_array_equal(origins[1:], labels.ravel()[firsts[1:]])
    assert len(sizes) == count + 1


def test_a_grain_through_all_blocks_is_one_piece():
    labels = np.zeros((12, 12, 12), int)
    labels[::2], labels[1::4, -1], labels[3::4, 0] = 5, 5, 5  # a meander

    _, _, _, sizes = join_pieces(
        [block_pieces(labels, box) for box in divide(labels.shape, 5)], labels.shape, 5
    )

    assert sizes.tolist() == [0, (labels == 5).sum()]


@given(labellings)
def test_contacts_of_blocks_add_up_to_those_of_the_volume(drawn):
    shape, seed, edge = drawn
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 5, shape).astype(np.int32)
    field = generator.random(shape)
    parts = [block_contacts(labels, field, box) for box in divide(shape, edge)]
    added, whole = add_contacts(parts, identity(5)), measure_faces(labels, field)

    for name in ("first", "second", "faces", "between_slices", "levels", "total"):
        np.testing.assert_array_equal(getattr(added, name), getattr(whole, name))


def test_all_tables_are_those_in_core():
    labels = by_block(PROBABILITY, 25)[0]
    in_core = measure_particle(labels, (50, 40, 40))

    for edge in (7, 17, 100):
        found = measure_by_block(labels, (50, 40, 40), executor=SerialExecutor(), block_edge=edge)
        assert found.grains.equals(in_core.grains)
        assert found.contacts.equals(in_core.contacts)
        assert found.particle == in_core.particle


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"particle": "most_central"}, "particle"),
        ({"passes": ("flood", "my.own")}, "passes"),
    ],
)
def test_what_does_not_work_by_block_is_refused(changes, where):
    with pytest.raises(SettingsError, match="by block") as refusal:
        by_block(PROBABILITY, 16, SETTINGS.replace(**changes))
    assert refusal.value.where == f"segmentation.grains.{where}"


def test_without_orientations_they_cannot_decide():
    with pytest.raises(SettingsError, match="needs orientations") as refusal:
        by_block(PROBABILITY, 16, SETTINGS.replace(merge_mode="orientation"))
    assert refusal.value.where == "segmentation.grains.merge_mode"


def test_without_orientations_combined_is_iq():
    labels, found = by_block(PROBABILITY, 16, SETTINGS.replace(merge_mode="combined"))

    assert "boundary alone" in found.warnings[0]
    np.testing.assert_array_equal(labels, by_block(PROBABILITY, 16)[0])


def test_volumes_that_do_not_fit_or_are_empty_are_refused():
    with pytest.raises(InputError, match="background"):
        by_block([PROBABILITY[0], PROBABILITY[1], PROBABILITY[2][1:]], 16)
    nothing = np.stack([np.zeros((9, 9, 9)), np.zeros((9, 9, 9)), np.ones((9, 9, 9))])
    with pytest.raises(ComputationError, match="no grain"):
        by_block(nothing, 4)
    damaged = PROBABILITY.copy()
    damaged[2, 30, 0, 0] = np.nan
    with pytest.raises(InputError, match="background probability is not finite"):
        by_block(damaged, 16)


@pytest.mark.parametrize("edge", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_a_particle_of_a_few_voxels_is_the_same_in_blocks_of_any_edge(seed, edge):
    rng = np.random.default_rng(seed)
    background = np.where(rng.random((6, 7, 9)) < 0.15, 0.9, 0.05)
    background[:, 0] = background[:, :, -1] = 0.95
    boundary = rng.random(background.shape) * (1 - background)
    probability = np.float32(np.stack([boundary, 1 - background - boundary, background]))
    settings = SETTINGS.replace(
        minimum_voxels=3, place_sweeps=1, background_share=0.4, merge_evidence="score",
        merge_size_weight=0.0,
    )  # fmt: skip

    labels, found = by_block(probability, edge, settings)

    in_core, report = segment_grains_with_report(probability, settings=settings)
    np.testing.assert_array_equal(labels, in_core)
    assert found.passes == report.passes
    assert found.grains > 3


@pytest.mark.parametrize("edge", [2, 3, 4])
def test_two_bodies_hang_together_across_slices_of_which_nothing_is_known(edge):
    """Not where one voxel in between is measured, nor where they do not face each other."""
    background = np.full((8, 5, 6), 0.95)
    background[:3, 1:4, 1:3] = background[5:, 1:4, 1:3] = background[5:, 1:4, 4] = 0.02
    boundary = np.where(background < 0.5, 0.01, 0.04)
    probability = np.float32(np.stack([boundary, 1 - background - boundary, background]))
    measured = np.ones(background.shape, bool)
    measured[3:5] = False
    settings = SETTINGS.replace(
        minimum_voxels=1, place_sweeps=0, rim_voxels=0, background_share=1.0
    )

    labels, _ = by_block(probability, edge, settings, measured)

    assert (labels[:3, 1:4, 1:3] > 0).all()
    assert (labels[5:, 1:4, 1:3] > 0).all()
    assert not labels[5:, 1:4, 4].any()  # beside the particle
    np.testing.assert_array_equal(
        labels, segment_grains_with_report(probability, settings=settings, measured=measured)[0]
    )
    measured[3, 0, 5] = measured[4, 0, 5] = True
    labels, _ = by_block(probability, edge, settings, measured)
    assert not (labels[:3].any() and labels[5:].any())


def test_the_first_voxel_of_its_block_that_is_not_finite_is_named():
    probability = np.full((3, 6, 7, 9), 1 / 3, np.float32)
    probability[0, 4, 5, 7] = probability[0, 4, 5, 8] = np.nan
    with pytest.raises(InputError, match=r"(?s)voxel \(4, 5, 7\) \(z, y, x\).*2 such voxels"):
        by_block(probability, 3)
