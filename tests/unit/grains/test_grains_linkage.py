"""Linkage of regions against what its definition says of small volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import laue_group, misorientation_angle, multiply
from electrode_grains.grains import (
    SegmentationSettings,
    equal_up_to_relabelling,
    merge_regions,
    orientation_agreement,
    refine_interfaces,
)
from electrode_grains.grains.cleanup import grow_into
from electrode_grains.grains.labelling import measure_faces
from electrode_grains.grains.linkage import (
    STEP_LEVELS,
    Linkage,
    RegionGraph,
    measure_steps,
)
from electrode_grains.grains.particle_graph import (
    absorb_small,
    find_fragments,
    find_other_bodies,
)

PLAIN = SegmentationSettings(
    merge_evidence="score", merge_mode="iq", merge_quantile=None, merge_size_weight=0.3,
    merge_slice_weight=0.2, merge_reference_voxels=10.0, merge_boundary=0.5,
)  # fmt: skip
SHAPE = (3, 4, 5)


def faces_of(shape):
    for voxel in np.ndindex(*shape):
        for axis in range(3):
            beside = tuple(place + (axis == k) for k, place in enumerate(voxel))
            if beside[axis] < shape[axis]:
                yield voxel, beside, axis


def random_field(rng, shape=SHAPE, unknown=0.1):
    field = Rotation.random(int(np.prod(shape)), rng=rng).as_quat(scalar_first=True)
    field = field.reshape(*shape, 4)
    field[rng.random(shape) < unknown] = np.nan
    return field


@pytest.mark.parametrize("seed", range(4))
def test_steps_of_a_contact_are_the_misorientations_over_its_faces(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, SHAPE).astype(np.int32)
    field = random_field(rng)
    contacts, top = measure_faces(labels), np.radians(80)

    steps = measure_steps(labels, contacts, OrientationField(field, laue_group="-3m"), top)

    pairs = list(zip(contacts.first.tolist(), contacts.second.tolist(), strict=True))
    expected = np.zeros((len(pairs), STEP_LEVELS), int)
    for one, other, _ in faces_of(SHAPE):
        pair = tuple(sorted((int(labels[one]), int(labels[other]))))
        angle = float(misorientation_angle(field[one], field[other], "-3m"))
        if pair in pairs and np.isfinite(angle):
            expected[pairs.index(pair), min(int(angle / top * STEP_LEVELS), STEP_LEVELS - 1)] += 1
    np.testing.assert_array_equal(steps, expected)
    assert expected[:, -1].any()
    nothing = measure_steps(labels, contacts, None, top)
    assert nothing.shape == steps.shape
    assert not nothing.any()
    assert not measure_steps(labels, contacts, OrientationField(field), 0.0).any()


def joined_by_definition(labels, boundary, rule):
    """Join the weakest contact, measured anew after each join, until all are strong enough."""
    labels, count = labels.copy(), 0
    while True:
        least = (1.0, None)
        sizes = np.bincount(labels.ravel())
        for pair in {tuple(sorted((int(labels[a]), int(labels[b])))) for a, b, _ in FACES}:
            if pair[0] == 0 or pair[0] == pair[1]:
                continue
            values = [
                (max(boundary[a], boundary[b]), axis == 0)
                for a, b, axis in FACES
                if {int(labels[a]), int(labels[b])} == set(pair)
            ]
            score = np.mean([value for value, _ in values])
            smaller = min(sizes[pair[0]], sizes[pair[1]])
            score += rule.merge_size_weight * np.log10(smaller / rule.merge_reference_voxels)
            across = np.mean([is_across for _, is_across in values])
            score += rule.merge_slice_weight * (across - 1 / 3)
            least = min(least, (score / rule.merge_boundary, pair))
        if least[1] is None:
            return labels, count
        labels[labels == least[1][1]] = least[1][0]
        count += 1


FACES = list(faces_of(SHAPE))


@pytest.mark.parametrize("seed", range(8))
def test_joins_are_those_of_the_definition_measured_anew_after_each(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, SHAPE).astype(np.int32)
    labels.flat[:6] = np.arange(1, 7)
    boundary = rng.random(SHAPE)
    rule = PLAIN.replace(merge_boundary=[0.25, 0.4, 0.55, 0.7][seed % 4])

    merged, report = merge_regions(labels, boundary, settings=rule)

    expected, count = joined_by_definition(labels, boundary, rule)
    assert equal_up_to_relabelling(merged, expected)
    assert report.merged_by_boundary == count
    assert report.regions - report.grains == count
    assert report.contacts == len(measure_faces(labels).first)


def turned(degrees):
    half = np.radians(np.asarray(degrees)) / 2
    return np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], axis=-1)


def two_regions(degrees, boundary):
    labels = np.ones((4, 4, 8), np.int32)
    labels[..., 4:] = 2
    field = np.where((labels == 1)[..., None], turned(0), turned(degrees))
    return labels, np.full(labels.shape, boundary), field


@pytest.mark.parametrize(
    ("boundary", "degrees", "kept"),
    [(0.25, 20.0, 0), (0.2490234375, 20.0, 1), (0.2490234375, 4.9, 0), (0.3, 20.0, 0)],
)
def test_kept_by_orientation_is_what_the_boundary_alone_would_join(boundary, degrees, kept):
    labels, values, field = two_regions(degrees, boundary)
    rule = SegmentationSettings(
        merge_evidence="score", merge_quantile=None, merge_size_weight=0, merge_slice_weight=0,
        merge_boundary=0.25,
    )  # fmt: skip

    merged, report = merge_regions(labels, values, field, settings=rule)

    assert report.kept_by_orientation == kept
    assert report.regions_without_orientation == 0
    assert merged.max() == (1 if degrees < 5 else 2)


@pytest.mark.parametrize("share", [0.9, 1.0, 1.1])
def test_what_orientation_does_not_join_it_keeps_also_at_the_very_threshold(share):
    labels, values, field = two_regions(20.0, 0.2)
    angle = float(np.degrees(misorientation_angle(field[0, 0, 0], field[0, 0, -1], "-3m")))
    rule = SegmentationSettings(
        merge_evidence="score", merge_quantile=None, merge_size_weight=0, merge_slice_weight=0,
        merge_boundary=0.25, merge_misorientation_degrees=share * angle,
    )  # fmt: skip
    graph = RegionGraph.of_labels(labels, values, OrientationField(field, laue_group="-3m"), rule)
    linkage = Linkage(graph, rule)
    if share == 1:  # the angle of the means may differ in its last digit
        linkage.misorientation_threshold = linkage.orientation_score(1, 2)
    before = linkage.kept_by_orientation()

    linkage.run()

    assert before == (0 if linkage.joined else 1)
    assert bool(linkage.joined) == (share == 1.1)


@pytest.mark.parametrize(("faces", "joins"), [(3, False), (4, True)])
def test_steps_from_point_to_point_count_from_four_faces_on(faces, joins):
    """Two halves of an evenly bent grain that meet in a neck; their means are 7 degrees apart."""
    labels = np.zeros((1, 4, 40), np.int32)
    labels[..., :20], labels[..., 20:] = 1, 2
    labels[0, faces:, 19] = 0
    angles = np.linspace(0, 14.0, 40)
    field = np.broadcast_to(turned(angles), (1, 4, 40, 4))
    rule = SegmentationSettings(merge_mode="orientation", merge_boundary=0.5)

    merged, _ = merge_regions(labels, np.zeros(labels.shape), field, settings=rule)

    assert merged.max() == (1 if joins else 2)


@pytest.mark.parametrize("total", [9.0, 9.7, 9.8, 11.0])
def test_a_bend_of_small_steps_joins_up_to_twice_the_threshold(total):
    """Two halves of an evenly bent grain: from point to point nothing, from mean to mean half."""
    labels = np.ones((3, 3, 40), np.int32)
    labels[..., 20:] = 2
    angles = np.linspace(0, 2 * total, 40)
    field = np.broadcast_to(turned(angles), (3, 3, 40, 4))
    rule = SegmentationSettings(merge_mode="orientation", merge_boundary=0.5)
    means = [turned(angles[:20].mean()), turned(angles[20:].mean())]
    apart = np.degrees(misorientation_angle(means[0], means[1], "-3m"))
    assert apart == pytest.approx(total * 40 / 39)

    merged, report = merge_regions(labels, np.zeros(labels.shape), field, settings=rule)

    assert merged.max() == (1 if apart < 10 else 2)
    assert report.merged_by_orientation == int(apart < 10)


def test_the_mean_of_joined_regions_is_weighted_and_knows_equivalents():
    rule = SegmentationSettings(merge_mode="orientation", merge_boundary=0.5)
    labels = np.repeat(np.array([1, 2, 3], np.int32), [6, 3, 3])[None, None] * np.ones(
        (4, 4, 1), np.int32
    )
    group = laue_group("-3m")
    angles = np.array([0.0, 3.0, 60.0])
    own = [multiply(group[k], turned(angle)) for k, angle in zip((0, 2, 4), angles, strict=True)]
    field = np.array([np.zeros(4), *own])[labels]
    graph = RegionGraph.of_labels(
        labels, np.zeros(labels.shape), OrientationField(field, laue_group="-3m"), rule
    )
    linkage = Linkage(graph, rule)

    linkage.run()

    assert linkage.joined == [(1, 2)]
    assert linkage.groups().tolist()[1] == linkage.groups().tolist()[2]
    assert linkage.size[1] == 16 * 9
    mean = turned(1.0)  # 0 and 3 degrees, 6 voxels against 3
    assert np.degrees(misorientation_angle(linkage.mean[1], mean, "-3m")) < 0.01
    assert linkage.touching[1][3].angle == pytest.approx(
        float(misorientation_angle(mean, turned(60.0), "-3m")), abs=1e-4
    )
    assert linkage.weight[1] == pytest.approx(graph.known.weight[1] + graph.known.weight[2])


@pytest.mark.parametrize("seed", range(3))
def test_agreement_with_orientations_counts_faces_of_more_than_fifteen_degrees(seed):
    rng = np.random.default_rng(seed)
    shape = (6, 6, 9)
    _, y, x = np.indices(shape)
    bodies = 1 + (x // 3) + 3 * (y // 3)
    angles = np.array([0.0, 0.0, 14.9, 30.1, 60.0, 75.2, 100.0])
    field = turned(angles[bodies])
    field[rng.random(shape) < 0.05] = np.nan
    labels = np.where(bodies == 5, 4, bodies)
    labels[bodies == 6] = 0

    found = orientation_agreement(labels, field, settings=SegmentationSettings(laue_group="-1"))

    apart = between = 0
    for a, b, _ in faces_of(shape):
        if labels[a] == 0 or labels[b] == 0 or np.isnan([field[a][0], field[b][0]]).any():
            continue
        if abs(angles[bodies[a]] - angles[bodies[b]]) > 15:
            apart += 1
            between += labels[a] != labels[b]
    assert found["high_angle_faces"] == apart
    assert found["high_angle_recall"] == pytest.approx(between / apart)
    assert found["second_orientation_share"] == pytest.approx(1 / 4)  # the united one of four


def test_without_high_angles_there_is_no_recall():
    labels = np.ones((3, 3, 6), np.int32)
    labels[..., 3:] = 2
    field = np.broadcast_to(turned(10.0), (*labels.shape, 4))

    found = orientation_agreement(labels, field, settings=SegmentationSettings())

    assert found == {
        "high_angle_faces": 0, "high_angle_recall": None, "second_orientation_share": 0.0
    }  # fmt: skip


# Pieces, fragments and small grains


def grown_by_definition(grains, room, steps):
    grown = grains.copy()
    for _ in range(steps):
        before = grown.copy()
        for voxel in np.argwhere(room & (before == 0)):
            near = []
            for axis in range(3):
                for step in (-1, 1):
                    beside = voxel.copy()
                    beside[axis] += step
                    if 0 <= beside[axis] < grains.shape[axis] and before[tuple(beside)]:
                        near.append(int(before[tuple(beside)]))
            if near:
                grown[tuple(voxel)] = min(set(near), key=lambda one: (-near.count(one), one))
    return grown


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), steps=st.integers(0, 3))
def test_grains_grow_by_a_face_a_step_to_those_with_most_faces(seed, steps):
    rng = np.random.default_rng(seed)
    grains = (rng.integers(1, 5, SHAPE) * (rng.random(SHAPE) < 0.4)).astype(np.int32)
    room = rng.random(SHAPE) < 0.7

    found = grow_into(grains, room, steps)

    assert np.array_equal(found, grown_by_definition(grains, room, steps))


def owners_by_definition(labels, least):
    """Give small grains away one by one, smallest first, each by its faces at that time."""
    sizes = np.bincount(labels.ravel())
    now = labels.copy()
    for label in sorted(
        (k for k in range(1, len(sizes)) if 0 < sizes[k] < least), key=lambda k: (sizes[k], k)
    ):
        own = now == label
        if own.sum() >= least:
            continue
        faces: dict[int, int] = {}
        for a, b, _ in faces_of(labels.shape):
            pair = {int(now[a]), int(now[b])}
            if label in pair and len(pair) == 2 and 0 not in pair:
                other = (pair - {label}).pop()
                faces[other] = faces.get(other, 0) + 1
        volumes = np.bincount(now.ravel(), minlength=len(sizes))
        now[own] = max(faces, key=lambda k: (faces[k], volumes[k], -k)) if faces else 0
    return now


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), least=st.integers(1, 9))
def test_small_grains_go_to_the_neighbour_with_most_faces(seed, least):
    rng = np.random.default_rng(seed)
    labels = (rng.integers(1, 12, SHAPE) * (rng.random(SHAPE) < 0.8)).astype(np.int32)
    labels.flat[:11] = np.arange(1, 12)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    fragment = rng.random(len(sizes)) < 0.5
    counts: dict[str, int] = {}

    owner = absorb_small(sizes, measure_faces(labels), fragment, least, counts)

    expected = owners_by_definition(labels, least)
    assert np.array_equal(owner[labels], expected)
    small = (sizes > 0) & (sizes < least)
    gone = small & (np.bincount(labels[expected == 0].ravel(), minlength=len(sizes)) > 0)
    moved = small & ~gone & (owner != np.arange(len(sizes)))
    assert counts == {
        "fragments_joined": (moved & fragment).sum(),
        "fragment_voxels_joined": sizes[moved & fragment].sum(),
        "small_grains_joined": (moved & ~fragment).sum(),
        "small_grain_voxels_joined": sizes[moved & ~fragment].sum(),
        "small_grains_removed": gone.sum(),
        "small_grain_voxels_removed": sizes[gone].sum(),
    }


def test_the_largest_piece_of_each_region_is_no_fragment_and_the_first_among_equals():
    origin = np.array([0, 5, 5, 3, 3, 5, 3, 8])
    sizes = np.array([99, 4, 9, 6, 6, 3, 2, 1])
    counts: dict[str, int] = {}

    found = find_fragments(origin, sizes, 4, counts)

    assert np.flatnonzero(found).tolist() == [5, 6]
    assert counts == {"split_regions": 2}  # pieces 1 and 4, of 4 voxels and more


@pytest.mark.parametrize(
    ("rule", "removed"), [("largest", [1, 2, 4]), ("most_central", [1, 2, 3, 5]), ("all", [])]
)
def test_one_body_is_the_particle_and_what_goes_is_counted(rule, removed):
    groups = np.array([0, 1, 1, 2, 3, 2], np.int32)
    sizes = np.array([0, 3, 4, 50, 6, 10])
    counts: dict[str, int] = {}

    found = find_other_bodies(groups, sizes, rule, counts, lambda: np.array([0.0, 9.0, 5.0, 1.0]))

    assert np.flatnonzero(found).tolist() == removed
    assert counts == {
        "other_particles": len(set(groups[removed].tolist())),
        "other_particle_grains": len(removed),
        "other_particle_voxels": sizes[removed].sum(),
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_voxel_goes_to_the_grain_behind_a_face_whose_orientation_it_has(seed):
    """One step, against a loop over voxels."""
    rng = np.random.default_rng(seed)
    shape = (5, 6, 9)
    labels = (1 + np.indices(shape)[2] // 3).astype(np.int32)
    labels[:, 3:, :3] = 4
    labels[0, 0] = 0
    own = turned(np.array([0.0, 0.0, 12.0, 40.0, 25.0]))
    field = own[labels]
    wrong = rng.random(shape) < 0.15
    field[wrong] = own[rng.integers(1, 5, shape)][wrong]
    field[rng.random(shape) < 0.05] = np.nan
    rule = SegmentationSettings(refine_steps=1, laue_group="-1")

    refined, moved = refine_interfaces(labels, field, settings=rule)

    expected = labels.copy()
    limit = np.radians(5.0)
    for voxel in np.argwhere(labels > 0):
        at = tuple(voxel)
        distance = misorientation_angle(field[at], own, "-1")
        if not distance[labels[at]] >= limit:
            continue
        near = set()
        for axis in range(3):
            for step in (-1, 1):
                beside = voxel.copy()
                beside[axis] += step
                if 0 <= beside[axis] < shape[axis] and labels[tuple(beside)]:
                    near.add(int(labels[tuple(beside)]))
        fitting = [label for label in near - {labels[at]} if distance[label] < limit]
        if fitting:
            expected[at] = min(fitting, key=lambda label: distance[label])
    assert moved == (expected != labels).sum() > 0
    assert equal_up_to_relabelling(refined, expected)
