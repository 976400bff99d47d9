"""The pseudo-cube of layered oxides: orientations that an indexer confuses.

The oxygen lattice of a layered oxide (R-3m) is nearly cubic: with c / a near 2 sqrt 6 the
c axis is one of four axes of threefold symmetry, 70.5 degrees apart. An indexer that sees
strong bands only takes one of the four, often the same one in a whole patch of points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import laue_group, misorientation_angle, multiply
from electrode_grains.errors import SettingsError

IDEAL_RATIO = 2 * np.sqrt(6.0)  # c / a of a face-centred cube that is seen along [111]
TOLERANCE = 0.03  # relative, of c / a
FLIP = (float(np.radians(70.53)), float(np.radians(4.0)))  # angle of two variants, and its width
LEAST_EXCESS = 0.005  # of the faces, beyond which pseudo-symmetry is on


def is_pseudo_cubic(a: float, c: float, tolerance: float = TOLERANCE) -> bool:
    """Whether hexagonal lattice constants describe a nearly cubic lattice.

    Parameters
    ----------
    a, c : float
        Lattice constants, in one unit.
    tolerance : float
        Relative deviation of c / a from 2 sqrt 6.

    Examples
    --------
    >>> is_pseudo_cubic(2.87, 14.26), is_pseudo_cubic(2.5, 4.1)
    (True, False)
    """
    if not (a > 0 and c > 0):
        raise SettingsError("lattice constants are not positive", found=f"a {a}, c {c}")
    return bool(abs(c / a / IDEAL_RATIO - 1) <= tolerance)


def to_pseudo_cube() -> NDArray[np.float64]:
    """Rotation from trigonal to cubic crystal axes, a quaternion.

    The trigonal c axis is a threefold axis of the cube, [111], and the twofold axis along x
    becomes [1 -1 0], so that all symmetries of -3m are symmetries of the cube.

    Examples
    --------
    >>> cubic = multiply(multiply(to_pseudo_cube(), laue_group("-3m")),
    ...                  to_pseudo_cube() * [1, -1, -1, -1])
    >>> overlap = np.abs(cubic @ laue_group("m-3m").T).max(axis=1)
    >>> bool(np.allclose(overlap, 1))
    True
    """
    z = np.array([1.0, 1.0, 1.0]) / np.sqrt(3.0)
    x = np.array([1.0, -1.0, 0.0]) / np.sqrt(2.0)
    axes = np.column_stack([x, np.cross(z, x), z])
    quaternion: NDArray[np.float64] = Rotation.from_matrix(axes).as_quat(scalar_first=True)
    return quaternion


def pseudo_cubic(field: OrientationField) -> OrientationField:
    """The same crystals with all symmetries of the pseudo-cube: variants are equivalent.

    Parameters
    ----------
    field : OrientationField
        Of the Laue group -3m.

    Raises
    ------
    SettingsError
        If the field has another symmetry.

    Examples
    --------
    >>> flipped = OrientationField(multiply(variants(), [0.8, 0.6, 0, 0]))
    >>> cube = pseudo_cubic(flipped)
    >>> bool(cube.misorientation(cube.at(np.array([0]))).max() < 1e-6)
    True
    """
    if field.laue_group != "-3m":
        raise SettingsError(
            "pseudo-symmetry of the cube is known for the Laue group -3m only",
            found=field.laue_group,
            remedy="set segmentation.grains.pseudo_symmetry to off",
        )
    turned = multiply(to_pseudo_cube(), field.quaternions).astype(field.quaternions.dtype)
    return OrientationField(turned, field.confidence, "m-3m", field.frame)


def variants() -> NDArray[np.float64]:
    """Rotations of crystal axes that an indexer confuses, the identity first, shape (4, 4)."""
    cube, back = to_pseudo_cube(), to_pseudo_cube() * np.array([1.0, -1.0, -1.0, -1.0])
    operators = multiply(multiply(back, laue_group("m-3m")), cube)
    angle = misorientation_angle(operators[:, None], operators[None], "-3m")
    distinct = [k for k in range(len(operators)) if not (angle[k, :k] < np.radians(1)).any()]
    operators = operators[distinct]
    identity = int(misorientation_angle(operators, np.array([1.0, 0, 0, 0]), "-3m").argmin())
    order = [identity, *(k for k in range(len(operators)) if k != identity)]
    chosen: NDArray[np.float64] = operators[order]
    return chosen


def flip_excess(field: OrientationField, region: NDArray[np.bool_] | None = None) -> float:
    """Excess of pairs of neighbouring points whose c axes are those of two variants.

    Parameters
    ----------
    field : OrientationField, shape (z, y, x)
        Points without weight do not count.
    region : ndarray of bool, shape (z, y, x), optional
        Where to look; everywhere by default.

    Returns
    -------
    float
        Share of the faces within 4 degrees of 70.53 between the c axes, less that at the
        angles beside (8 to 16 degrees off, twice as many), which wrong indexing explains.
    """
    near = beside = total = 0
    before: NDArray[np.float64] | None = None
    for z in range(field.shape[0]):  # by slices, so that no volume of axes is held
        plane = field.at(z)
        known = np.ones(plane.shape, bool) if region is None else region[z]
        if plane.confidence is not None:
            known = known & (plane.confidence > 0)
        axes = np.where(known[..., None], plane.directions((0.0, 0.0, 1.0)), np.nan)
        pairs = [(axes[1:], axes[:-1]), (axes[:, 1:], axes[:, :-1])]
        pairs += [] if before is None else [(axes, before)]
        for one, other in pairs:
            cosine = np.abs((one * other).sum(axis=-1))
            angle = np.arccos(np.clip(cosine[np.isfinite(cosine)], 0, 1))
            off = np.abs(angle - FLIP[0])
            near += int((off < FLIP[1]).sum())
            beside += int(((off >= 2 * FLIP[1]) & (off < 4 * FLIP[1])).sum())
            total += len(angle)
        before = axes
    return (near - beside / 2) / total if total else 0.0


@dataclass(frozen=True)
class PseudoSymmetry:
    """What a stack shows of pseudo-symmetry.

    Attributes
    ----------
    c_over_a : float or None
        Of the lattice constants; None where neither files nor settings give them.
    excess : float
        See `flip_excess`.
    found : bool
        Whether variants of the pseudo-cube are to count as one orientation.
    reason : str
        Why, with the numbers.
    """

    c_over_a: float | None
    excess: float
    found: bool
    reason: str

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PseudoSymmetry:
        """Rebuild from its fields."""
        return cls(**content)


def find_pseudo_symmetry(
    field: OrientationField,
    constants: tuple[float, float] | None,
    tolerance: float = TOLERANCE,
) -> PseudoSymmetry | None:
    """Look for flips between the four c axes of the pseudo-cube.

    Parameters
    ----------
    field : OrientationField, shape (z, y, x)
    constants : (float, float) or None
        Lattice constants a and c; without them the Laue group -3m counts as pseudo-cubic.
    tolerance : float
        Relative deviation of c / a from 2 sqrt 6.

    Returns
    -------
    PseudoSymmetry or None
        None for Laue groups other than -3m.
    """
    if field.laue_group != "-3m":
        return None
    ratio = None if constants is None else constants[1] / constants[0]
    if constants is not None and not is_pseudo_cubic(*constants, tolerance):
        reason = f"c / a {ratio:.3f} is more than {tolerance:.1%} from 2 sqrt 6: no pseudo-cube"
        return PseudoSymmetry(ratio, 0.0, False, reason)
    excess = flip_excess(field)
    found = excess > LEAST_EXCESS
    lattice = "lattice constants unknown" if ratio is None else f"c / a {ratio:.3f}"
    reason = (
        f"{lattice}; pairs of neighbours with c axes 70.5 degrees apart: {excess:.2%} of all "
        f"beyond chance, {LEAST_EXCESS:.1%} decide: the four c axes of the pseudo-cube "
        + ("count as one" if found else "count as different")
    )
    return PseudoSymmetry(ratio, excess, found, reason)


def hexagonal_constants(phases: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Lattice constants a and c of the first phase of a scan that gives them.

    Examples
    --------
    >>> hexagonal_constants([{"lattice_constants": "2.87 2.87 14.26 90 90 120"}])
    (2.87, 14.26)
    """
    for phase in phases:
        try:
            a, _, c = map(float, str(phase.get("lattice_constants", "")).split()[:3])
        except ValueError:
            continue
        if 0 < a < np.inf and 0 < c < np.inf:
            return a, c
    return None
