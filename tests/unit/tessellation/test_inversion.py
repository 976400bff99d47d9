import numpy as np
import pytest

from electrode_grains.errors import InputError
from electrode_grains.tessellation import PowerDiagram, fit_tessellation
from electrode_grains.tessellation.inversion_kernels import TERMS, soft_loss

SHAPE, SPACING = (24, 30, 30), (50.0, 40.0, 40.0)


def power_map(rng, count=25, spread=0.25):
    turn = np.linalg.qr(rng.standard_normal((count, 3, 3)))[0]
    axes = np.exp(spread * rng.standard_normal((count, 3)))
    cells = PowerDiagram.of(
        rng.uniform(0, 1200, (count, 3)),
        rng.uniform(0, 15000, count),
        (turn * axes[:, None]) @ turn.transpose(0, 2, 1),
    )
    return cells.rasterize(SHAPE, SPACING)


def test_the_fit_finds_a_diagram_again_that_ellipsoids_and_planes_do_not():
    labels = power_map(np.random.default_rng(2))
    found = fit_tessellation(labels, SPACING)
    planes = fit_tessellation(labels, SPACING, "laguerre")
    assert found.agreement > 0.97
    assert found.agreement > found.start_agreement + 0.02
    assert found.agreement > planes.agreement + 0.02


def test_a_laguerre_tessellation_is_found_again():
    rng = np.random.default_rng(3)
    cells = PowerDiagram.of(rng.uniform(0, 1200, (25, 3)), rng.uniform(0, 15000, 25))
    assert fit_tessellation(cells.rasterize(SHAPE, SPACING), SPACING, "laguerre").agreement > 0.97


def test_the_diagram_is_what_the_labels_show():
    labels = power_map(np.random.default_rng(4)).astype(np.uint64)
    labels[labels == 7] = 2**40
    labels[:, :, :4] = 0
    found = fit_tessellation(labels, SPACING)
    grain = labels > 0
    cells = found.diagram.rasterize(SHAPE, SPACING)
    assert (found.labels[~grain] == 0).all()
    assert (found.grains[cells - 1] == found.labels)[grain].all()
    assert found.agreement == pytest.approx((found.labels == labels)[grain].mean())
    assert np.linalg.eigvalsh(found.diagram.matrices).min() > 0
    assert 2**40 in found.grains


@pytest.mark.parametrize("counts_errors", [False, True])
def test_the_gradient_is_that_of_the_loss(counts_errors):
    rng = np.random.default_rng(5)
    theta = rng.standard_normal((4, TERMS))
    rest = (
        rng.standard_normal((30, 3)),
        rng.integers(0, 4, 30),
        np.arange(0, 17, 4),
        np.tile(np.arange(4), 4),
        rng.standard_normal((4, 3)),
        rng.standard_normal((4, 3, 3)),
        counts_errors,
    )
    gradient, spare = np.zeros_like(theta), np.zeros_like(theta)
    soft_loss(theta, *rest, gradient)
    step = np.zeros_like(theta)
    for place in ((0, 0), (1, 3), (2, 5), (3, 8)):
        step[:] = 0
        step[place] = 1e-6
        rise = soft_loss(theta + step, *rest, spare) - soft_loss(theta - step, *rest, spare)
        assert gradient[place] == pytest.approx(rise / 2e-6, rel=1e-4, abs=1e-6)


def test_one_grain_is_no_tessellation():
    with pytest.raises(InputError, match="found:    1"):
        fit_tessellation(np.ones((3, 3, 3), int), (50, 50, 50))
