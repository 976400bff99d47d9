"""The lattice measures turns of slices, and bears witness to their shifts."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from electrode_grains.alignment import (
    LatticeField,
    SliceTransforms,
    apply_transforms,
    estimate_transforms,
    rigid_matrix,
    rotate_orientations,
)
from electrode_grains.alignment.evidence import Evidence
from electrode_grains.alignment.lattice import agreement, lattice_turn, witness

SHAPE = (12, 64, 64)
CENTER = (31.5, 31.5)
SYMMETRY = Rotation.create_group("D3").as_quat(scalar_first=True)


def scanned(motions, seed=0, noise_degrees=0.3, wrong=0.05):
    """Image quality and orientations of columns of grains after motions (x, y, radians)."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(-16, 80, (90, 2))
    lattices = Rotation.random(len(seeds), rng=rng)
    y, x = np.indices(SHAPE[1:])
    images, fields = [], []
    for z, (dx, dy, angle) in enumerate(motions):
        back = np.linalg.inv(rigid_matrix(dx, dy, angle, CENTER))
        px, py = (back @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)]))[:2]
        centers = seeds + 0.3 * np.sin(z + np.arange(len(seeds)))[:, None]
        distance, nearest = KDTree(centers).query(np.column_stack([py, px]), k=2)
        dark = np.exp(-(((distance[:, 1] - distance[:, 0]) / 1.5) ** 2))
        images.append(nearest[:, 0] % 7 / 7 - 2 * dark + 0.2 * rng.standard_normal(x.size))
        # A direction v of the grain's frame is R v in the scan, so its lattice g is g R^-1.
        turn = Rotation.from_rotvec([0, 0, angle]).inv()
        error = Rotation.from_rotvec(np.radians(noise_degrees) * rng.standard_normal((x.size, 3)))
        orientation = error * lattices[nearest[:, 0]] * turn
        quaternions = orientation.as_quat(scalar_first=True)
        lost = rng.random(x.size) < wrong
        quaternions[lost] = Rotation.random(lost.sum(), rng=rng).as_quat(scalar_first=True)
        fields.append(quaternions)
    field = np.array(fields).reshape(*SHAPE, 4)
    images = np.array(images).reshape(SHAPE)
    return images, LatticeField(field, SYMMETRY, np.ones(SHAPE, bool))


@pytest.mark.parametrize("degrees", [1.0, 2.0, 3.0])
def test_a_turned_slice_keeps_no_misorientation(degrees):
    motions = np.zeros((SHAPE[0], 3))
    motions[5:, 2] = np.radians(degrees)
    motions[:, :2] = np.random.default_rng(1).normal(0, 0.7, (SHAPE[0], 2))
    images, field = scanned(motions)
    transforms = estimate_transforms(images, lattice=field)
    assert np.degrees(np.diff(transforms.rotation))[4] == pytest.approx(degrees, abs=0.05)

    moved = apply_transforms(np.moveaxis(field.quaternions, -1, 0), transforms, order=0)
    turned = rotate_orientations(np.moveaxis(moved, 0, -1), transforms)
    known = np.isfinite(turned).all(axis=-1)
    left = lattice_turn(LatticeField(turned, SYMMETRY, known), 4, 5, np.eye(3))
    before = lattice_turn(field, 4, 5, np.eye(3))
    assert np.degrees(np.linalg.norm(left.turn)) < 0.1
    assert np.degrees(before.turn[2]) == pytest.approx(degrees, abs=0.1)


def test_rotations_by_the_lattice_are_better_than_those_of_images():
    rng = np.random.default_rng(2)
    motions = np.column_stack([rng.normal(0, 0.7, (12, 2)), np.radians(rng.normal(0, 0.5, 12))])
    images, field = scanned(motions)
    errors = [
        np.degrees(np.std(np.diff(found.rotation) - np.diff(motions[:, 2])))
        for found in (estimate_transforms(images, lattice=field), estimate_transforms(images))
    ]
    assert errors[0] < 0.05
    assert errors[0] < errors[1]


def test_tilts_are_reported():
    images, field = scanned(np.zeros((12, 3)))
    tilt = Rotation.from_rotvec(np.radians([0.8, -0.4, 0.0]))
    quaternions = np.array(field.quaternions)
    tilted = Rotation.from_quat(quaternions[7:].reshape(-1, 4), scalar_first=True) * tilt.inv()
    quaternions[7:] = tilted.as_quat(scalar_first=True).reshape(5, *SHAPE[1:], 4)
    field = LatticeField(quaternions, SYMMETRY, field.reliable)
    tilts = np.degrees(estimate_transforms(images, lattice=field).lattice.tilts)
    np.testing.assert_allclose(tilts[6], [0.8, -0.4], atol=0.05)
    np.testing.assert_allclose(np.delete(tilts, 6, axis=0), 0, atol=0.05)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_equivalent_orientations_measure_the_same_turn(seed):
    rng = np.random.default_rng(seed)
    _, field = scanned(np.column_stack([np.zeros((12, 2)), np.full(12, 0.01)]))
    choice = Rotation.from_quat(SYMMETRY, scalar_first=True)[rng.integers(0, 6, 64 * 64)]
    other = np.array(field.quaternions)
    flat = Rotation.from_quat(other[1].reshape(-1, 4), scalar_first=True)
    signs = rng.choice([-1.0, 1.0], (64 * 64, 1))
    other[1] = ((choice * flat).as_quat(scalar_first=True) * signs).reshape(64, 64, 4)
    turns = [
        lattice_turn(LatticeField(values, SYMMETRY, field.reliable), 0, 1, np.eye(3)).turn
        for values in (field.quaternions, other)
    ]
    np.testing.assert_allclose(turns[0], turns[1], atol=1e-9)


def test_without_reliable_points_nothing_is_measured():
    images, field = scanned(np.zeros((12, 3)))
    blind = LatticeField(field.quaternions, SYMMETRY, np.zeros(SHAPE, bool))
    assert lattice_turn(blind, 0, 1, np.eye(3)) is None
    assert np.isnan(agreement(blind, 0, 1, np.eye(3)))
    plain, heard = estimate_transforms(images), estimate_transforms(images, lattice=blind)
    np.testing.assert_array_equal(heard.matrices, plain.matrices)


def test_the_witness_speaks_against_a_shift_that_tears_grains():
    _, field = scanned(np.zeros((12, 3)))
    sheared = np.array([rigid_matrix(0.7 * z, 0, 0, CENTER) for z in range(12)])
    before, after, error = witness(field, sheared)
    assert before - after > 3 * error
    moving = Evidence(2.0, 0.5, True, False, (), 0.7)
    assert not moving.heard(before, after, error).moves
    assert moving.heard(after, before, error).moves
    assert Evidence(1.5, 0.5, False, False, (), 0.0).heard(after, before, error).moves


def test_lattices_in_a_wrong_frame_are_noticed_and_turn_nothing():
    """Half a turn about an axis of the plane, as between a file's frame and the map's."""
    rng = np.random.default_rng(2)
    motions = np.column_stack([rng.normal(0, 0.7, (12, 2)), np.radians(rng.normal(0, 1, 12))])
    images, field = scanned(motions)
    flat = Rotation.from_quat(field.quaternions.reshape(-1, 4), scalar_first=True)
    wrong = (flat * Rotation.from_rotvec([np.pi, 0, 0])).as_quat(scalar_first=True)
    other = LatticeField(wrong.reshape(field.quaternions.shape), SYMMETRY, field.reliable)
    right, turned, plain = (
        estimate_transforms(images, lattice=lattice) for lattice in (field, other, None)
    )
    assert right.lattice.sense == "with the images"
    assert turned.lattice.sense == "against the images"
    assert any("frames" in note for note in turned.notes)
    np.testing.assert_allclose(turned.matrices, plain.matrices, atol=1e-9)
    again = SliceTransforms.from_dict(json.loads(json.dumps(right.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.lattice.turns, right.lattice.turns)
    assert again.lattice.sense == right.lattice.sense
