import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.boundary.symmetries import axis_symmetries, cut_rotated, random_isometry
from electrode_grains.boundary.windows import (
    IntensityJitter,
    WindowSampler,
    pad_to_lattice,
)

sides = st.tuples(*[st.integers(1, 12)] * 3)
rotations = st.sampled_from(["quarter_turns", "arbitrary", "none"])


@settings(max_examples=60, deadline=None)
@given(shape=sides, window=sides, rotation=rotations, seed=st.integers(0, 2**32), data=st.data())
def test_every_window_holds_an_annotated_voxel(shape, window, rotation, seed, data):
    annotation = np.zeros(shape, dtype=np.uint8)
    z, y, x = (data.draw(st.integers(0, side - 1)) for side in shape)
    annotation[z, y, x] = 3  # the rarest annotation of all
    sampler = WindowSampler(
        np.zeros(shape, np.float32),
        annotation,
        window_shape=window,
        rotation=rotation,
        spacing=(2.0, 1.0, 1.0),
    )

    drawn = sampler.draw(np.random.default_rng(seed))

    assert drawn.mask.any()
    assert (drawn.target[drawn.mask] == 2).all()
    assert drawn.mask.shape == tuple(np.minimum(shape, window))


@settings(max_examples=40, deadline=None)
@given(window=sides, seed=st.integers(0, 2**32))
def test_quarter_turns_move_image_target_and_mask_together(window, seed):
    rng = np.random.default_rng(1)
    annotation = rng.integers(0, 4, (9, 10, 11)).astype(np.uint8)
    sampler = WindowSampler(annotation.astype(np.float32), annotation, window_shape=window)

    drawn = sampler.draw(np.random.default_rng(seed))

    np.testing.assert_array_equal(np.where(drawn.mask, drawn.target + 1, 0), drawn.image[0])


@pytest.mark.parametrize("seed", range(5))
def test_any_rotation_moves_image_target_and_mask_together(seed):
    z, y, x = np.indices((40, 40, 40)) - 20
    height = z + 0.5 * y - 0.3 * x  # linear: interpolation is exact
    annotation = np.where(height < 0, 1, 2).astype(np.uint8)
    sampler = WindowSampler(
        height.astype(np.float32), annotation, window_shape=(16, 16, 16), rotation="arbitrary"
    )

    drawn = sampler.draw(np.random.default_rng(seed))

    # The nearest voxel is at most half a voxel off along each axis.
    clear = drawn.mask & (np.abs(drawn.image[0]) > 0.5 * 1.8 + 1e-3)
    np.testing.assert_array_equal(drawn.target[clear], (drawn.image[0][clear] > 0).astype(int))


def test_same_generator_draws_the_same_window():
    rng = np.random.default_rng(2)
    contrast = rng.normal(size=(8, 20, 20)).astype(np.float32)
    sampler = WindowSampler(
        contrast,
        np.ones_like(contrast, dtype=np.uint8),
        window_shape=(4, 8, 8),
        jitter=IntensityJitter(),
    )

    first, second = (sampler.draw(np.random.default_rng((7, 3))) for _ in range(2))

    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.target, second.target)


def test_windows_reach_every_annotated_voxel():
    annotation = np.zeros((6, 12, 12), dtype=np.uint8)
    annotation[3] = 1
    voxel_number = np.arange(annotation.size, dtype=np.float32).reshape(annotation.shape)
    sampler = WindowSampler(voxel_number, annotation, window_shape=(2, 4, 4))
    rng = np.random.default_rng(4)

    windows = [sampler.draw(rng) for _ in range(200)]
    seen = {int(number) for window in windows for number in window.image[0][window.mask]}

    assert seen == set(voxel_number[3].astype(int).ravel())


def test_drawing_leaves_the_volume_as_it_was():
    contrast = np.ones((4, 8, 8), dtype=np.float32)
    sampler = WindowSampler(
        contrast, np.ones((4, 8, 8), np.uint8), window_shape=(4, 8, 8), jitter=IntensityJitter()
    )

    sampler.draw(np.random.default_rng(0)).image[:] = 5

    assert (contrast == 1).all()


def test_jitter_of_zero_changes_nothing():
    image = np.random.default_rng(3).normal(size=(1, 2, 3, 4)).astype(np.float32)

    varied = IntensityJitter(0.0, 0.0, 0.0).apply(image, np.random.default_rng(1))

    np.testing.assert_array_equal(varied, image)


@pytest.mark.parametrize(("shape", "count"), [((5, 5, 5), 48), ((3, 5, 5), 16), ((2, 3, 4), 8)])
def test_symmetries_are_distinct_and_invertible(shape, count):
    box = np.arange(np.prod(shape)).reshape(shape)
    symmetries = axis_symmetries(shape, (1.0, 1.0, 1.0))

    images = {symmetry.apply(box).tobytes() for symmetry in symmetries}

    assert len(images) == len(symmetries) == count
    for symmetry in symmetries:
        assert symmetry.apply(box).shape == shape
        np.testing.assert_array_equal(symmetry.undo(symmetry.apply(box)), box)


@given(seed=st.integers(0, 2**32))
def test_random_isometries_are_orthogonal(seed):
    matrix = random_isometry(np.random.default_rng(seed))

    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)


def test_random_isometries_turn_an_axis_to_every_direction():
    rng = np.random.default_rng(8)
    directions = np.array([random_isometry(rng)[0] for _ in range(4000)])

    # Uniform on the sphere: each coordinate is uniform on [-1, 1], deviation of a mean 0.009.
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose((directions**2).mean(axis=0), 1 / 3, atol=0.02)


def test_rotation_keeps_physical_lengths_in_anisotropic_voxels():
    spacing = np.array([2.0, 1.0, 1.0])
    distance = np.linalg.norm((np.indices((21, 41, 41)).T - (10, 20, 20)) * spacing, axis=-1).T
    isometry = random_isometry(np.random.default_rng(12))

    turned = cut_rotated(
        distance,
        isometry,
        pivot=(10, 20, 20),
        place=(4, 8, 8),
        shape=(9, 17, 17),
        spacing=tuple(spacing),
        interpolation=1,
    )

    # A ball of distances looks the same from every side, up to linear interpolation.
    np.testing.assert_allclose(turned, distance[6:15, 12:29, 12:29], atol=0.6)


def test_padding_fills_images_with_the_edge_and_masks_with_zero():
    array = np.full((1, 3, 4, 5), 7)

    assert (pad_to_lattice(array, 4, repeat_edge=True) == 7).all()
    assert pad_to_lattice(array, 4, repeat_edge=False).sum() == array.sum()
    assert pad_to_lattice(array, 4, repeat_edge=True).shape == (1, 4, 4, 8)


def test_annotation_without_classes_is_refused():
    empty = np.zeros((3, 4, 5), np.uint8)

    with pytest.raises(ValueError, match=r"only zeros.*\(3, 4, 5\)"):
        WindowSampler(empty.astype(np.float32), empty)


def test_unknown_class_is_refused_with_its_place():
    annotation = np.ones((3, 4, 5), np.uint8)
    annotation[1, 2, 3] = 4

    with pytest.raises(ValueError, match=r"1, 2, 3\n.*4"):
        WindowSampler(np.zeros((3, 4, 5), np.float32), annotation)


def test_annotation_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"annotation \(3, 4, 4\), contrast \(3, 4, 5\)"):
        WindowSampler(np.zeros((3, 4, 5), np.float32), np.ones((3, 4, 4), np.uint8))


def test_contrast_that_is_not_finite_is_refused():
    contrast = np.zeros((3, 4, 5), np.float32)
    contrast[2, 1, 0] = np.nan

    with pytest.raises(ValueError, match=r"\(0, 2, 1, 0\)[\s\S]*normalize_contrast"):
        WindowSampler(contrast, np.ones((3, 4, 5), np.uint8))


def test_unknown_rotation_is_refused():
    with pytest.raises(ValueError, match="'twist'"):
        WindowSampler(
            np.zeros((3, 4, 5), np.float32), np.ones((3, 4, 5), np.uint8), rotation="twist"
        )
