"""The pseudo-cube of layered oxides: orientations that an indexer confuses.

The oxygen lattice of a layered oxide (R-3m) is nearly cubic: with c / a near 2 sqrt 6 the
c axis is one of four axes of threefold symmetry, 70.5 degrees apart. An indexer that sees
strong bands only takes one of the four, often the same one in a whole patch of points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import laue_group, misorientation_angle, multiply
from electrode_grains.errors import SettingsError

IDEAL_RATIO = 2 * np.sqrt(6.0)  # c / a of a face-centred cube that is seen along [111]
TOLERANCE = 0.03  # relative, of c / a


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
