import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.ebsd.orientations import (
    conjugate,
    misorientation_angle,
    multiply,
    random_orientations,
    turn,
)
from electrode_grains.errors import SettingsError
from electrode_grains.generation import VirtualParticle, twin_laws, with_twins
from electrode_grains.generation.particles import described
from electrode_grains.morphometry import measure_particle

SPACING = (50.0, 40.0, 40.0)
QUATERNION = [f"quaternion_{part}" for part in "wxyz"]


def blocks(laue, seed=0):
    """Eight boxes of 10 x 12 x 12 voxels, and one small one between."""
    labels = np.zeros((22, 26, 26), np.int32)
    for number in range(8):
        z, y, x = (1 + 10 * (number >> 2), 1 + 12 * (number >> 1 & 1), 1 + 12 * (number & 1))
        labels[z : z + 10, y : y + 12, x : x + 12] = number + 1
    labels[10:12, 12:14, 12:14] = 9
    lattice = random_orientations(9, np.random.default_rng(seed))
    return described(labels, measure_particle(labels, SPACING), lattice, laue)


@pytest.mark.parametrize(("laue", "degrees"), [("m-3m", 60.0), ("-3m", 70.5288)])
def test_laws_are_those_of_the_lattices(laue, degrees):
    turns, normals = twin_laws(laue)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    if laue == "m-3m":
        angles = misorientation_angle(turns, [1.0, 0, 0, 0], laue)
        np.testing.assert_allclose(np.degrees(angles), degrees)
        # Sigma 3: a third of the lattice is common, and {111} is mirrored into itself.
        np.testing.assert_allclose(turn(normals[0], turns[0]), normals[0], atol=1e-12)
    else:
        axes = turn([0, 0, 1.0], conjugate(turns))
        apart = np.degrees(np.arccos(np.abs(axes[:, 2])))
        np.testing.assert_allclose(apart, degrees, atol=1e-3)
        # The plane mirrors the c axis of the grain into that of its twin.
        own = np.array([0, 0, 1.0])
        mirrored = own - 2 * normals * (normals @ own)[:, None]
        np.testing.assert_allclose(np.abs((mirrored * axes).sum(axis=1)), 1, atol=1e-9)


def test_other_lattices_have_no_law_here():
    with pytest.raises(SettingsError, match="no twin law is known"):
        twin_laws("6/mmm")


@pytest.mark.parametrize("laue", ["m-3m", "-3m"])
def test_lamellae_lie_on_their_plane_and_are_turned_by_the_law(laue):
    before = blocks(laue)
    after = with_twins(before, SPACING, 1.0, laue, np.random.default_rng(1))
    assert isinstance(after, VirtualParticle)
    np.testing.assert_array_equal(after.labels > 0, before.labels > 0)
    small = before.labels == 9
    assert set(after.labels[small]) == {9}
    turns, normals = twin_laws(laue)
    made = after.grains.set_index("label")
    old = before.grains.set_index("label")
    pairs = np.unique(
        np.stack([before.labels[~small].ravel(), after.labels[~small].ravel()]), axis=1
    ).T
    for parent in range(1, 9):
        pieces = pairs[pairs[:, 0] == parent, 1]
        own = old.loc[parent, QUATERNION].to_numpy(float)
        away = {
            int(piece): float(
                misorientation_angle(made.loc[piece, QUATERNION].to_numpy(float), own, laue)
            )
            for piece in pieces
        }
        lamellae = [piece for piece, angle in away.items() if angle > 0.1]
        assert len(lamellae) == 1
        assert all(angle < 1e-6 for piece, angle in away.items() if piece not in lamellae)
        lamella = after.labels == lamellae[0]
        assert ndimage.label(lamella)[1] == 1
        turned = made.loc[lamellae[0], QUATERNION].to_numpy(float)
        laws = multiply(turns, own)
        law = int(np.argmin(misorientation_angle(laws, turned, laue)))
        assert misorientation_angle(laws[law], turned, laue) < 1e-6
        points = np.argwhere(lamella) * SPACING
        axes = np.linalg.eigh(np.cov(points.T))[1]
        planes = turn(normals, conjugate(own))[:, ::-1]
        # Flat across one of the planes of the law (chips of a corner may be on it).
        assert np.abs(planes @ axes[:, 0]).max() > 0.95
        if laue == "-3m":
            mine, other = (turn([0, 0, 1.0], conjugate(each)) for each in (own, turned))
            other = other * np.sign(mine @ other)
            mirror = (mine - other) / np.linalg.norm(mine - other)
            assert abs(mirror[::-1] @ axes[:, 0]) > 0.95
    touching = after.contacts
    assert touching["misorientation_angle"].notna().all()


def test_no_share_is_no_twin():
    before = blocks("-3m")
    after = with_twins(before, SPACING, 0.0, "-3m", np.random.default_rng(1))
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_allclose(
        after.grains[QUATERNION].to_numpy(), before.grains[QUATERNION].to_numpy()
    )
