"""The table of docs/descriptors/surface.md: planes in lattices whose voxels are not cubes."""

import numpy as np
import pytest

from electrode_grains.morphometry.crofton import DIRECTIONS, direction_fractions


@pytest.mark.parametrize(
    ("spacing", "least", "greatest", "across"),
    [
        ((1, 1, 1), -0.073, 0.023, (-0.073, -0.073)),
        ((2, 1, 1), -0.125, 0.094, (-0.100, -0.105)),
        ((3, 1, 1), -0.157, 0.102, (-0.157, -0.124)),
        ((5, 1, 1), -0.232, 0.100, (-0.232, -0.141)),
        ((1, 2, 2), -0.158, 0.071, (-0.158, -0.074)),
    ],
)
def test_planes_are_measured_as_far_off_as_documented(spacing, least, greatest, across):
    normals = np.random.default_rng(0).normal(size=(100_000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    steps = np.array(DIRECTIONS) * np.array(spacing, float)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    # Chords in direction d cross a unit of a plane with normal n in |cos(n, d)| of it.
    bias = 4 * np.abs(normals @ steps.T) @ direction_fractions(spacing) - 1
    along = 4 * np.abs(np.eye(3) @ steps.T) @ direction_fractions(spacing) - 1
    assert min(bias.min(), along.min()) == pytest.approx(least, abs=0.001)
    assert bias.max() == pytest.approx(greatest, abs=0.001)
    assert bias.mean() == pytest.approx(0, abs=0.001)
    assert along[:2] == pytest.approx(across, abs=0.001)
