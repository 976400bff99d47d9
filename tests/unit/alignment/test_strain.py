"""Slices that the microscope has distorted."""

from itertools import cycle

import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.alignment import (
    AlignmentSettings,
    apply_transforms,
    estimate_transforms,
    strain,
)
from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.strain import strain_matrices

SHAPE, DEPTH, FIRST = (96, 100), 16, 8
CENTER = ((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2)


def body(seed=0):
    """A random smooth solid with a margin around the window."""
    noise = np.random.default_rng(seed).standard_normal((DEPTH + 8, SHAPE[0] + 40, SHAPE[1] + 40))
    smooth = ndimage.gaussian_filter(noise, (4, 3, 3))[4:-4]
    return smooth / smooth.std()


def scanned(linear, seed=0):
    """Slices in the window, those from FIRST on distorted by a linear map about its centre."""
    rng = np.random.default_rng(seed + 1)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    slices = []
    for z, image in enumerate(body(seed)):
        back = np.linalg.inv(linear) if z >= FIRST else np.eye(2)
        sx = back[0, 0] * (x - CENTER[0]) + back[0, 1] * (y - CENTER[1]) + CENTER[0] + 20
        sy = back[1, 0] * (x - CENTER[0]) + back[1, 1] * (y - CENTER[1]) + CENTER[1] + 20
        slices.append(ndimage.map_coordinates(image, [sy, sx], order=3))
    return np.array(slices) + 0.05 * rng.standard_normal((DEPTH, *SHAPE))


DISTORTIONS = {
    "stretched along x": np.diag([1.03, 1.0]),
    "sheared": np.array([[1.0, 0.02], [0.02, 1.0]]),
    "magnified": np.diag([1.05, 1.05]),
}


@pytest.fixture(scope="module", params=DISTORTIONS, ids=str)
def distorted(request):
    linear = DISTORTIONS[request.param]
    return linear, scanned(linear)


def test_a_distorted_slice_is_named_and_no_other(distorted):
    flags = estimate_transforms(distorted[1]).flags
    named = [z for z, of_slice in enumerate(flags) if any("distorted" in flag for flag in of_slice)]
    assert named == [FIRST]


def test_the_mode_affine_straightens_it(distorted):
    linear, slices = distorted
    settings = AlignmentSettings(mode="affine")
    transforms = estimate_transforms(slices, settings=settings)
    relative = np.linalg.inv(transforms.matrices[FIRST - 1]) @ transforms.matrices[FIRST]
    assert relative[:2, :2] == pytest.approx(linear, abs=0.01)
    straight = apply_transforms(slices, transforms, order=1)

    def likeness(first, second):
        known = np.isfinite(first) & np.isfinite(second)
        return np.corrcoef(first[known], second[known])[0, 1]

    steps = [likeness(straight[z], straight[z + 1]) for z in range(DEPTH - 1)]
    assert steps[FIRST - 1] > np.median(steps) - 0.005


@pytest.mark.parametrize("seed", range(3))
def test_the_mode_affine_bends_no_straight_stack(seed):
    slices = scanned(np.eye(2), seed)
    matrices = estimate_transforms(slices, settings=AlignmentSettings(mode="affine")).matrices
    corners = np.array([[0, 0, 1], [SHAPE[1] - 1, 0, 1], [0, SHAPE[0] - 1, 1]], float)
    assert np.abs(matrices @ corners.T - corners.T)[:, :2].max() < 0.1


def test_strains_leave_the_centre_where_it_is():
    matrices = strain_matrices(np.array([[0.03, -0.02, 0.01]]), CENTER)
    assert matrices[0] @ [*CENTER, 1] == pytest.approx([*CENTER, 1])


def test_noise_of_the_first_steps_is_no_strain(monkeypatch):
    """Strains and errors that the demo's first steps have, where nothing is distorted."""
    measured = 0.01 * np.array(
        [[-0.44, -0.72, 0.30], [-0.20, 0.71, -0.37], [-0.56, 0.18, -0.06], [0.66, -0.18, -0.19],
         [-0.26, -0.80, -0.58], [-0.21, 0.15, 0.19], [0.62, -0.30, 0.17], [-0.14, 0.26, 0.05],
         [0.16, 0.38, 0.16], [0.02, 0.26, -0.07], [0.10, 0.34, -0.08], [0.12, 0.20, -0.01]]
    )  # fmt: skip
    steps = cycle([(row, np.full(3, 0.0027)) for row in measured])
    monkeypatch.setattr(strain, "step_strain", lambda *_: next(steps))
    count = len(measured) + 1
    slices = Slices([np.zeros((8, 8))] * count, "rigid_body", False, 0.0, (3.5, 3.5))
    matches = [Match(np.eye(3), max(z - 1, 0)) for z in range(count)]
    assert not strain.significant_strains(slices, matches).any()
