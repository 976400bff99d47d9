"""Registrations that are confirmed instead of done again."""

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.alignment.precision import AFFINE, confirm, sandwich
from electrode_grains.alignment.transforms import rigid_matrix, rms_displacement

SHAPE, CENTER = (80, 96), (47.5, 39.5)
TRUE = rigid_matrix(3.0, -2.0, 0.01, CENTER)


@pytest.fixture(scope="module")
def images():
    """A reference, and the same moved by `TRUE`, by splines."""
    moving = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 2)
    y, x = np.indices(SHAPE)
    places = np.tensordot(TRUE, np.array([x, y, np.ones(SHAPE)]), 1)
    return ndimage.map_coordinates(moving, places[1::-1], mode="nearest"), moving


@pytest.mark.parametrize("off", [(0.3, 0.2, 0.0), (-0.2, 0.3, 0.003)])
def test_a_step_that_is_nearly_right_is_confirmed_and_refined(images, off):
    start = TRUE @ rigid_matrix(*off, CENTER)
    pair = confirm(*images, start, "rigid_body")
    assert rms_displacement(pair.step - TRUE, CENTER) < 0.4 * rms_displacement(start - TRUE, CENTER)


@pytest.mark.parametrize("off", [(1.5, 0.0, 0.0), (0.0, 0.0, 0.04), (8.0, 5.0, 0.0)])
def test_a_step_that_is_wrong_is_not_confirmed(images, off):
    assert confirm(*images, TRUE @ rigid_matrix(*off, CENTER), "rigid_body") is None


def test_moments_give_the_curvature_and_the_scores_of_their_definition(images):
    """Newton's step of squared differences, from gradients that are written out."""
    first = images[1]
    second = ndimage.shift(first, (0.4, -0.3), mode="nearest")
    slopes = []
    y, x = np.indices(SHAPE) - np.array([39.5, 47.5])[:, None, None]
    a, b = first - first.mean(), second - second.mean()
    b = b * (a * b).sum() / (b**2).sum()
    for image in (a, b):
        along_y, along_x = np.gradient(image)
        slope = np.array([along_x, along_y, x * along_x, y * along_x, x * along_y, y * along_y])
        inner = np.zeros(SHAPE)
        inner[3:-3, 3:-3] = 1
        slopes.append(slope * inner)
    curvature = np.einsum("iyx,jyx->ij", *slopes)
    scores = ((slopes[0] + slopes[1]) / 2 * (a - b)).sum(axis=(1, 2))
    expected = np.linalg.solve((curvature + curvature.T) / 2, scores)
    assert sandwich(first, second, AFFINE)[0] == pytest.approx(expected, rel=1e-9)
