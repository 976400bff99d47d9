"""Outer shells of particles: random radius functions in real spherical harmonics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.special import sph_harm_y

from electrode_grains.errors import InputError

Floats = NDArray[np.float64]
MOST_FACES = 20_000  # of a surface, drawn at random where there are more
EM_STEPS = 30
GRID = (181, 361)  # polar and azimuthal angles at which a radius is tabulated, 1 degree apart
LEAST_NOISE = 1e-3  # of the logarithm of a radius
VALUES_PER_COEFFICIENT = 4.0
POWERS = (1.5, 3.0)  # of l (l + 1) that variances may fall with: surfaces are continuous


@dataclass(frozen=True)
class Shell:
    """A star-shaped body around the origin.

    Attributes
    ----------
    coefficients : ndarray of float64, shape ((degree + 1)^2,)
        Of the logarithm of the radius in nm, by degree l and order m = -l ... l.
    """

    coefficients: Floats

    @property
    def degree(self) -> int:
        """Highest degree of the harmonics."""
        return int(len(self.coefficients) ** 0.5 + 0.5) - 1

    def radius(self, directions: ArrayLike) -> Floats:
        """Radius in nm along each vector (x, y, z), shape (n,)."""
        values: Floats = np.exp(harmonics(directions, self.degree) @ self.coefficients)
        return values

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Whether each point (x, y, z) in nm lies inside, by a table of radii, shape (n,)."""
        inside: NDArray[np.bool_] = self.height(points) < 0
        return inside

    def height(self, points: ArrayLike) -> Floats:
        """Distance in nm of each point (x, y, z) above the shell, along the radius, shape (n,).

        By a table of radii; negative inside.
        """
        place = np.reshape(np.asarray(points, float), (-1, 3))
        polar, azimuth = (
            axis.ravel()
            for axis in np.meshgrid(
                np.linspace(0, np.pi, GRID[0]), np.linspace(-np.pi, np.pi, GRID[1]), indexing="ij"
            )
        )
        table = self.radius(
            np.column_stack(
                [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]
            )
        ).reshape(GRID)
        across = np.hypot(place[:, 0], place[:, 1])
        node = [
            np.arctan2(across, place[:, 2]) * (GRID[0] - 1) / np.pi,
            (np.arctan2(place[:, 1], place[:, 0]) / np.pi + 1) * (GRID[1] - 1) / 2,
        ]
        radius = ndimage.map_coordinates(table, node, order=1, mode="nearest")
        above: Floats = np.hypot(across, place[:, 2]) - radius
        return above


@dataclass(frozen=True)
class ShellModel:
    """Gaussian random radius on the sphere, the same in all directions.

    Attributes
    ----------
    mean_log_radius, std_log_radius : float
        Of the mean over all directions, among particles; 0 for the second where one was seen.
    degree_variances : tuple of float
        Variance of a coefficient of the logarithm of the radius, for the degrees 1, 2, ...;
        0 for the first, which moves a body and gives it no shape.
    particle_count : int
    seen_share : float
        Share of the directions that the windows show, least of all particles.
    relief : float
        How far surfaces lie off their shells: standard deviation of the logarithm of the radius
        beyond the harmonics, from grains that stick out and from voxels.
    """

    mean_log_radius: float
    std_log_radius: float
    degree_variances: tuple[float, ...]
    particle_count: int
    seen_share: float
    relief: float = 0.0

    def sample(self, rng: np.random.Generator) -> Shell:
        """Draw a shell."""
        degree = len(self.degree_variances)
        of_coefficient = np.repeat(self.degree_variances, 2 * np.arange(1, degree + 1) + 1)
        level = rng.normal(self.mean_log_radius, self.std_log_radius) * np.sqrt(4 * np.pi)
        return Shell(np.r_[level, rng.standard_normal(len(of_coefficient)) * of_coefficient**0.5])

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {**vars(self), "degree_variances": list(self.degree_variances)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Model from what `to_dict` returned."""
        return cls(**{**content, "degree_variances": tuple(content["degree_variances"])})


@dataclass(frozen=True)
class FittedShells:
    """Shells of particles and the model that they are drawn from.

    Attributes
    ----------
    model : ShellModel
    shells : tuple of Shell
        The likeliest shell of each particle, beyond the window too.
    centers : ndarray of float64, shape (n, 3)
        Their origins (x, y, z) in nm from the first voxel.
    """

    model: ShellModel
    shells: tuple[Shell, ...]
    centers: Floats


def harmonics(directions: ArrayLike, degree: int) -> Floats:
    """Real orthonormal spherical harmonics of vectors (x, y, z), shape (n, (degree + 1)^2)."""
    x, y, z = np.reshape(np.asarray(directions, float), (-1, 3)).T
    polar, azimuth = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    columns = []
    for n in range(degree + 1):
        for m in range(-n, n + 1):
            complex_value = sph_harm_y(n, abs(m), polar, azimuth)
            part = complex_value.imag if m < 0 else complex_value.real
            columns.append(part * ((-1) ** m * np.sqrt(2) if m else 1.0))
    values: Floats = np.column_stack(columns)
    return values


def fit_shells(
    masks: Sequence[ArrayLike], spacing: Sequence[float], degree: int = 10, *, seed: int = 0
) -> FittedShells:
    r"""Fit the model of outer shells to one or more particles.

    Parameters
    ----------
    masks : sequence of array_like of bool, shape (z, y, x)
        Voxels of each particle: of a segmentation, or of a tomogram. Their largest connected
        part counts, without holes.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    degree : int
        Highest degree of the harmonics; the radius is known to about 180 / degree degrees.
    seed : int
        Of the choice of faces, where there are many.

    Returns
    -------
    FittedShells

    Raises
    ------
    InputError
        If a particle has no surface inside its window.

    Notes
    -----
    The logarithm of the radius is a Gaussian field on the sphere [1]_ whose variances fall
    with a power of the degree. Faces on the border of the window are no surface: coefficients
    and variances are estimated from the directions that are seen, by expectation and
    maximisation, so that a particle cut by its window is neither flat nor short there. The
    origin is that of the sphere that fits the faces best.

    References
    ----------
    .. [1] O. Furat et al., "Artificial generation of representative single Li-ion electrode
       particle architectures from microscopy data", npj Comput. Mater. 7 (2021) 105.
    """
    rng = np.random.default_rng(seed)
    steps = np.array(spacing[::-1], float)
    faces = [_faces(mask, steps, rng, f"particle {n}") for n, mask in enumerate(masks, start=1)]
    centers = np.array([_sphere_center(points, box) for points, _, box in faces])
    systems = []
    for (points, normals, _), center in zip(faces, centers, strict=True):
        away = points - center
        length = np.linalg.norm(away, axis=1)
        # A face counts with the solid angle that it covers, so that no side weighs more.
        share = np.abs((away * normals).sum(axis=1)) / length**3
        # Neighbouring faces are not independent: they count as some values for each coefficient.
        share *= VALUES_PER_COEFFICIENT * (degree + 1) ** 2 / (4 * np.pi) * _solid_angle(share)
        basis = harmonics(away, degree)
        seen = basis.T @ (share[:, None] * basis)
        systems.append((seen, basis.T @ (share * np.log(length)), basis, np.log(length), share))
    posterior, variances, noise = _expectation_maximisation(systems, degree)
    means = [coefficients[0] / np.sqrt(4 * np.pi) for coefficients in posterior]
    model = ShellModel(
        mean_log_radius=float(np.mean(means)),
        std_log_radius=float(np.std(means, ddof=1)) if len(means) > 1 else 0.0,
        degree_variances=(0.0, *(float(value) for value in variances[2:])),
        particle_count=len(means),
        seen_share=min(
            _seen_share(points - c) for (points, _, _), c in zip(faces, centers, strict=True)
        ),
        relief=noise**0.5,
    )
    return FittedShells(model, tuple(map(Shell, posterior)), centers)


def _faces(
    mask: ArrayLike, steps: Floats, rng: np.random.Generator, name: str
) -> tuple[Floats, Floats, Floats]:
    """Middles of faces (x, y, z) in nm, their normals times their areas, the bounding box."""
    inside = np.asarray(mask, bool)
    parts, count = ndimage.label(inside)
    if count > 1:
        inside = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    inside = ndimage.binary_fill_holes(inside)
    points, normals = [], []
    for axis in range(3):  # z, y, x
        change = np.argwhere(np.diff(inside.astype(np.int8), axis=axis)).astype(float)
        change[:, axis] += 0.5
        normal = np.zeros(3)
        normal[2 - axis] = np.prod(steps) / steps[2 - axis]
        points.append(change[:, ::-1] * steps)
        normals.append(np.tile(normal, (len(change), 1)))
    place, normal = np.concatenate(points), np.concatenate(normals)
    if len(place) < 10:
        raise InputError(
            "a particle has no surface inside its window", where=name, found=f"{len(place)} faces"
        )
    if len(place) > MOST_FACES:
        chosen = rng.choice(len(place), MOST_FACES, replace=False)
        place, normal = place[chosen], normal[chosen]
    corner = np.array([axis[[0, -1]] for axis in map(np.unique, np.nonzero(inside))])[::-1]
    return place, normal, corner.T * steps


def _sphere_center(points: Floats, box: Floats) -> Floats:
    """Centre of the sphere of least algebraic error, within the bounding box of the particle."""
    middle = points.mean(axis=0)
    away = points - middle
    system = np.column_stack([2 * away, np.ones(len(away))])
    found = np.linalg.lstsq(system, (away**2).sum(axis=1))[0]
    quarter = (box[1] - box[0]) / 4
    center: Floats = np.clip(middle + found[:3], box[0] + quarter, box[1] - quarter)
    return center


def _expectation_maximisation(
    systems: Sequence[tuple[Floats, ...]], degree: int
) -> tuple[list[Floats], Floats, float]:
    """Coefficients of each particle, the variance of each degree, and that of faces around it."""
    of_degree = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    variances, noise = np.full(degree + 1, 0.1), 0.05**2
    for _ in range(EM_STEPS):
        second, posterior, rest = np.zeros(len(of_degree)), [], []
        for seen, right, basis, heights, share in systems:
            precision = np.where(of_degree == 0, 0.0, 1 / variances[of_degree])
            covariance = np.linalg.inv(seen / noise + np.diag(precision))
            mean = covariance @ right / noise
            posterior.append(mean)
            second += mean**2 + np.diag(covariance)
            rest.append(np.average((heights - basis @ mean) ** 2, weights=share))
        variances = _power_law(np.bincount(of_degree, second) / len(systems))
        noise = max(float(np.mean(rest)), LEAST_NOISE**2)
    return posterior, variances, noise


def _solid_angle(share: Floats) -> float:
    """Factor that makes shares of faces add up to the solid angle that all of them cover."""
    total = float(share.sum())
    return min(total, 4 * np.pi) / max(total, 1e-300)


def _power_law(sums: Floats) -> Floats:
    """Variances A (l (l + 1))^-p near those of each degree, with the same sum.

    One particle has few coefficients of a degree, and a window leaves some undetermined.
    """
    degrees = np.arange(min(2, len(sums) - 1), len(sums))
    number = 2 * degrees + 1
    own = sums[degrees] / number
    x = np.log(degrees * (degrees + 1.0))
    power = POWERS[0]
    if len(degrees) > 1:
        slope = np.polyfit(x, np.log(np.maximum(own, 1e-12)), 1, w=np.sqrt(number))[0]
        power = min(max(POWERS[0], -float(slope)), POWERS[1])
    level = float(sums[degrees].sum() / (number * np.exp(-power * x)).sum())
    fitted = np.maximum(level * np.exp(-power * x), 1e-10)
    # Degree 1 moves a body from its origin, the centre of its sphere: it is no larger than 2.
    first: Floats = np.full(degrees[0], fitted[0])
    return np.concatenate([first, fitted])


def _seen_share(away: Floats) -> float:
    """Share of the sphere with a face within about 10 degrees."""
    golden = np.pi * (3 - 5**0.5)
    height = 1 - 2 * (np.arange(400) + 0.5) / 400
    across = np.sqrt(1 - height**2)
    turn = golden * np.arange(400)
    sphere = np.column_stack([across * np.cos(turn), across * np.sin(turn), height])
    unit = away / np.linalg.norm(away, axis=1, keepdims=True)
    return float(((sphere @ unit.T).max(axis=1) > np.cos(np.radians(10))).mean())
