"""What FIB milling and EBSD scanning make of a particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    laue_group,
    multiply,
    random_orientations,
)
from electrode_grains.ebsd.pseudo_cube import variants
from electrode_grains.errors import SettingsError
from electrode_grains.phantom.annotation import annotate
from electrode_grains.phantom.indexing import BoundaryContrast, flipped_variants, patches_of
from electrode_grains.phantom.particle import VirtualParticle
from electrode_grains.phantom.settings import AcquisitionSettings

# Image quality in the arbitrary unit of the EBSD software.
GRAIN_QUALITY, SURROUNDING_QUALITY, NOISE_QUALITY = 200.0, 70.0, 14.0
BOUNDARY_DROP = 0.55
ORIENTATION_CONTRAST = 0.12
BEAM_SIGMA_PX = 0.7
SIGNAL_QUANTILES = np.array([1, 3, 5]) / 6  # of the signal, by the depth that it comes from
SHADOWED = 0.35  # of the rows, from the bottom, is where the wall of the trench shades the detector
ANGULAR_NOISE_DEGREES = 0.4
LAUE = "-3m"
UNINDEXED_PULL = 1.0  # of a boundary on patches that are not indexed, in their spreads


@dataclass(frozen=True)
class Acquisition:
    """A stack as scanned.

    Attributes
    ----------
    image_quality, confidence_index : ndarray of float32, shape (z, y, x)
    euler_angles : ndarray of float32, shape (z, y, x, 3)
        Bunge, radians; in the frame of the map: x right, y down, z along milling.
    phase : ndarray of int16, shape (z, y, x)
    label_stack : ndarray of int32, shape (z, y, x)
        True grain of each scanned point.
    annotations : dict of int to ndarray of uint8, shape (y, x)
        Classes of the labelled slices: 1 boundary, 2 interior, 3 background.
    true_matrices : ndarray of float64, shape (z, 3, 3)
        Each maps pixel coordinates (x, y, 1) of the particle to those of the slice.
    slice_depths_nm : ndarray of float64, shape (z,)
    """

    image_quality: NDArray[np.float32]
    confidence_index: NDArray[np.float32]
    euler_angles: NDArray[np.float32]
    phase: NDArray[np.int16]
    label_stack: NDArray[np.int32]
    annotations: dict[int, NDArray[np.uint8]]
    true_matrices: NDArray[np.float64]
    slice_depths_nm: NDArray[np.float64]


def acquire(
    particle: VirtualParticle, rng: np.random.Generator, settings: AcquisitionSettings
) -> Acquisition:
    """Mill and scan a particle slice by slice.

    Parameters
    ----------
    particle : VirtualParticle
    rng : Generator
    settings : AcquisitionSettings

    Returns
    -------
    Acquisition
        Every channel as the microscope would deliver it, and the truth beside it.

    Raises
    ------
    SettingsError
        If a slice to be labelled or lost does not exist, or one is to be both.
    """
    depth = particle.labels.shape[0]
    _check_slices(settings, depth)
    # Draws of their own, so that one does not change the others.
    patches, accidents = rng.spawn(2)
    matrices = _drift(depth, particle.labels.shape, settings, rng, accidents)
    jitter = rng.normal(0, settings.thickness_jitter, depth)
    depths = np.asarray((np.arange(depth) + jitter) * particle.spacing[0], np.float64)
    labels, points = _sample(particle, matrices, depths)
    below = [
        particle.label_at(points + np.array([0, 0, deeper])).reshape(labels.shape)
        for deeper in -settings.information_depth_nm * np.log1p(-SIGNAL_QUANTILES)
    ]
    contrast = BoundaryContrast.of(particle.orientations, settings.weak_boundary_degrees)
    blur = _boundary_strength(labels, below, contrast)
    shadow = settings.shadow * _shadow(labels.shape, accidents)
    dim = np.minimum(blur + shadow, 1.0)
    euler, confidence = _index(
        particle, points, labels, dim, matrices, settings, rng, patches, accidents
    )
    annotations = {
        z: annotate(labels[z], settings.annotation_error, rng) for z in settings.annotated_slices
    }
    return Acquisition(
        image_quality=_image_quality(particle, labels, below, blur, shadow, settings, rng),
        confidence_index=confidence,
        euler_angles=euler,
        phase=np.ones(labels.shape, np.int16),
        label_stack=labels,
        annotations=annotations,
        true_matrices=matrices,
        slice_depths_nm=depths,
    )


def _check_slices(settings: AcquisitionSettings, depth: int) -> None:
    for what, named in (
        ("annotated", settings.annotated_slices),
        ("lost", settings.lost_slices),
    ):
        if outside := [z for z in named if not 0 <= z < depth]:
            raise SettingsError(
                f"a slice to be {what} does not exist",
                found=str(outside),
                expected=f"0 to {depth - 1}",
            )
    if both := sorted(set(settings.annotated_slices) & set(settings.lost_slices)):
        raise SettingsError("a lost slice cannot be annotated", found=str(both))


def _drift(
    depth: int,
    shape: tuple[int, ...],
    settings: AcquisitionSettings,
    rng: np.random.Generator,
    accidents: np.random.Generator,
) -> NDArray[np.float64]:
    """Slices come back from the mill a little beside where they were; part of it persists.

    Once, in the middle half of the stack, the sample is taken out and comes back elsewhere.
    """
    sigma = np.array([settings.drift_px, settings.drift_px, np.radians(settings.rotation_degrees)])
    jumps = rng.standard_normal((depth, 3)) * sigma
    motion = ndimage.gaussian_filter1d(jumps, 2.0, axis=0) + 0.7 * jumps
    if settings.wander_px > 0:  # no draw without it, so that seeds keep their particles
        wander = np.cumsum(rng.standard_normal((depth, 2)) * settings.wander_px, axis=0)
        motion[:, :2] += wander - wander.mean(axis=0)
    direction, after = accidents.uniform(0, 2 * np.pi), accidents.uniform(0.25, 0.75) * depth
    side = np.where(np.arange(depth) < after, -0.5, 0.5)
    motion[:, :2] += settings.jump_px * np.outer(side, [np.cos(direction), np.sin(direction)])
    center = np.array([(shape[2] - 1) / 2, (shape[1] - 1) / 2])
    matrices = np.tile(np.eye(3), (depth, 1, 1))
    cosine, sine = np.cos(motion[:, 2]), np.sin(motion[:, 2])
    matrices[:, 0, 0], matrices[:, 0, 1] = cosine, -sine
    matrices[:, 1, 0], matrices[:, 1, 1] = sine, cosine
    matrices[:, :2, 2] = center + motion[:, :2] - matrices[:, :2, :2] @ center
    return matrices


def _rotations(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation of each slice in its plane in rad, from x towards y."""
    rotations: NDArray[np.float64] = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    return rotations


def _sample(
    particle: VirtualParticle, matrices: NDArray[np.float64], depths: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """True labels and positions (x, y, z) in nm of all scanned points."""
    _, rows, columns = particle.labels.shape
    _, dy, dx = particle.spacing
    y, x = np.mgrid[:rows, :columns]
    pixels = np.column_stack([x.ravel(), y.ravel(), np.ones(x.size)])
    points = np.empty((len(depths), rows * columns, 3))
    for z, (matrix, level) in enumerate(zip(matrices, depths, strict=True)):
        source = pixels @ np.linalg.inv(matrix).T
        points[z] = np.column_stack(
            [source[:, 0] * dx, source[:, 1] * dy, np.full(len(source), level)]
        )
    flat = points.reshape(-1, 3)
    return particle.label_at(flat).reshape(len(depths), rows, columns), flat


def _boundary_strength(
    labels: NDArray[np.int32], below: list[NDArray[np.int32]], contrast: BoundaryContrast
) -> NDArray[np.float64]:
    """How much of the interaction volume lies across a boundary, in [0, 1].

    The electrons see the surface and a little of what lies below it at the same place of the
    beam, wherever the next slice will be scanned; what was above is milled away.
    """
    touched = np.mean([contrast.between(labels, deeper) for deeper in below], axis=0)
    for axis in (1, 2):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        across = contrast.between(labels[low], labels[high])
        touched[low] = np.maximum(touched[low], across)
        touched[high] = np.maximum(touched[high], across)
    blurred: NDArray[np.float64] = ndimage.gaussian_filter(
        touched, (0, BEAM_SIGMA_PX, BEAM_SIGMA_PX)
    )
    return np.minimum(blurred, 1.0)


def _shadow(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Depth of the shadow at each point, 1 at its darkest; its edge is oblique and wanders."""
    depth, rows, columns = shape
    edge = rows * (1 - SHADOWED) + ndimage.gaussian_filter1d(rng.standard_normal(depth), 3) * 4
    slope = rng.uniform(-0.2, 0.2) * (np.arange(columns) - columns / 2)
    into = np.arange(rows)[:, None] - edge[:, None, None] - slope
    ramp: NDArray[np.float64] = np.clip(into / (rows * SHADOWED), 0, 1)
    return ramp


def _image_quality(
    particle: VirtualParticle,
    labels: NDArray[np.int32],
    below: list[NDArray[np.int32]],
    blur: NDArray[np.float64],
    shadow: NDArray[np.float64],
    settings: AcquisitionSettings,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    depth, rows, columns = labels.shape
    # Some orientations diffract better; c-axis along the beam is an arbitrary extreme.
    tilt = 1 - 2 * (particle.orientations[:, 1] ** 2 + particle.orientations[:, 2] ** 2)
    per_grain = GRAIN_QUALITY * (1 + ORIENTATION_CONTRAST * (2 * np.abs(tilt) - 1))
    texture = ndimage.gaussian_filter(rng.standard_normal(labels.shape), (1, 2, 2))
    surrounding = SURROUNDING_QUALITY * (1 + 0.25 * texture / texture.std())
    per_grain[0] = SURROUNDING_QUALITY
    seen = np.mean([per_grain[deeper] for deeper in below], axis=0)
    quality = np.where(labels > 0, seen * (1 - BOUNDARY_DROP * blur), surrounding) * (1 - shadow)
    quality = ndimage.gaussian_filter(quality, (0, 0.5, 0.5))
    stripes = ndimage.gaussian_filter1d(rng.standard_normal((depth, columns)), 1.5, axis=1)
    stripes *= settings.curtaining / stripes.std()
    fading = 1 + 0.3 * rng.standard_normal((depth, 1, 1)) * np.linspace(-1, 1, rows)[:, None]
    quality *= 1 + stripes[:, None, :] * fading
    quality *= 1 + settings.brightness_drift * rng.standard_normal((depth, 1, 1))
    quality += settings.noise * NOISE_QUALITY * rng.standard_normal(labels.shape)
    return np.asarray(np.maximum(quality, 1.0), np.float32)


def _index(
    particle: VirtualParticle,
    points: NDArray[np.float64],
    labels: NDArray[np.int32],
    dim: NDArray[np.float64],
    matrices: NDArray[np.float64],
    settings: AcquisitionSettings,
    rng: np.random.Generator,
    patches: np.random.Generator,
    accidents: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Orientation and confidence of each point; wrong more often at boundaries and in the shadow.

    The lattice is seen turned as its slice is: it lies in the frame of the scan. Where the
    indexer flips the c axis it is as confident as elsewhere.
    """
    flat, strength = labels.ravel(), dim.ravel()
    quaternions = particle.orientation_at(points, flat)
    variant = flipped_variants(labels > 0, settings.flipped_share, settings.patch_px, patches)
    quaternions = multiply(variants()[variant.ravel()], quaternions)
    half_turns = np.repeat(_rotations(matrices) / 2, labels[0].size)
    turned_back = np.zeros((len(flat), 4))
    turned_back[:, 0], turned_back[:, 3] = np.cos(half_turns), -np.sin(half_turns)
    quaternions = multiply(quaternions, turned_back)
    half = rng.normal(0, np.radians(ANGULAR_NOISE_DEGREES) / 2 / np.sqrt(3), (len(flat), 3))
    noise = np.column_stack([np.ones(len(flat)), half])
    quaternions = multiply(noise / np.linalg.norm(noise, axis=1, keepdims=True), quaternions)
    chance = np.clip(settings.misindexed_share * (0.5 + 4 * strength), 0, 0.9)
    outside = flat == 0
    wrong = outside | (rng.random(len(flat)) < chance)
    quaternions[wrong] = random_orientations(int(wrong.sum()), rng)
    confidence = np.clip(rng.normal(0.65, 0.15, len(flat)) * (1 - 0.5 * strength), 0.1, 1.0)
    confidence[wrong] = np.clip(rng.normal(0.05, 0.03, int(wrong.sum())), 0, 0.15)
    confidence[outside & (rng.random(len(flat)) < 0.5)] = -1.0
    lost = patches_of(
        labels > 0, settings.unindexed_share, settings.patch_px, patches, UNINDEXED_PULL * dim
    )
    confidence[lost.ravel()] = -1.0
    if settings.equivalent_angles:
        equal = laue_group(LAUE)
        quaternions = multiply(equal[accidents.integers(len(equal), size=len(flat))], quaternions)
    euler = euler_from_quaternions(quaternions).reshape(*labels.shape, 3)
    return euler.astype(np.float32), confidence.reshape(labels.shape).astype(np.float32)
