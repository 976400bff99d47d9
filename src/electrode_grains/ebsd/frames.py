"""Frames of orientations: from what a maker's file means to the frame of the map.

The map frame has x to the right along columns, y down along rows and z along milling, into
the sample; it is right-handed and the frame of all results. Makers give Euler angles in
another frame than positions. With g the rotation from crystal to sample coordinates,
g_map = T g_file, where T is half a turn about an axis in the plane of the scan: x + y, x - y,
x and y for the settings 1 to 4 of EDAX, x for Oxford Instruments [1]_. Our quaternions turn
sample into crystal coordinates, q = g^-1, so that q_map = q_file T^-1.

References
----------
.. [1] MTEX, "Reference Frame Alignment", https://mtex-toolbox.github.io/EBSDReferenceFrame.html;
   the recipe of DREAM.3D for EDAX (sample frame by 180 degrees about 010, Euler frame by 90
   degrees about 001) is setting 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from electrode_grains.base import Settings, setting
from electrode_grains.ebsd.orientations import (
    Quaternions,
    conjugate,
    euler_from_quaternions,
    multiply,
    quaternions_from_euler,
)
from electrode_grains.errors import SettingsError

FramePreset = Literal["edax_1", "edax_2", "edax_3", "edax_4", "oxford", "bruker", "same"]
FRAME_PRESETS: tuple[FramePreset, ...] = get_args(FramePreset)
Maker = Literal["edax", "oxford", "bruker", "dream3d"]
HexagonalAxis = Literal["a", "a*"]
AxisAngle = tuple[float, float, float, float]

# Setting 2 is EDAX's default. DREAM.3D volumes are turned by whoever made them.
MAKER_FRAMES: dict[Maker, FramePreset] = {
    "edax": "edax_2",
    "oxford": "oxford",
    "bruker": "bruker",
    "dream3d": "same",
}
# What x of the crystal lies along in trigonal and hexagonal phases; a* is 30 degrees from a.
MAKER_HEXAGONAL_X: dict[Maker, HexagonalAxis] = {
    "edax": "a",
    "oxford": "a*",
    "bruker": "a",
    "dream3d": "a",
}
HEXAGONAL_GROUPS = ("-3", "-3m", "6/m", "6/mmm")
_HALF_TURN_AXES: dict[FramePreset, tuple[float, float, float]] = {
    "edax_1": (1, 1, 0),
    "edax_2": (1, -1, 0),
    "edax_3": (1, 0, 0),
    "edax_4": (0, 1, 0),
    "oxford": (1, 0, 0),
    "bruker": (1, 0, 0),
}


class FrameRotations(Settings):
    """Rotations that bring the frames of a file together, as DREAM.3D's filters take them.

    Each is an axis (x, y, z) and an angle in degrees by which the frame itself is turned. The
    scan keeps its rows and columns: a turn of the sample frame turns the orientations back.
    """

    euler: AxisAngle = setting((0.0, 0.0, 1.0, 0.0), "turn of the frame of the Euler angles")
    sample: AxisAngle = setting((0.0, 0.0, 1.0, 0.0), "turn of the frame of the positions")


Frames = FramePreset | FrameRotations


def half_turn(axis: tuple[float, float, float]) -> Quaternions:
    """Rotation by 180 degrees about an axis of any length."""
    turn: Quaternions = np.array([0.0, *axis]) / np.linalg.norm(axis)
    return turn


def frame_rotation(frames: Frames) -> Quaternions:
    """Rotation T of g_map = T g_file, as a quaternion.

    Raises
    ------
    SettingsError
        If the preset is unknown, or a rotation has no axis.

    Examples
    --------
    >>> frame_rotation("oxford").tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    if isinstance(frames, FrameRotations):
        euler, sample = (_frame_turn(turn) for turn in (frames.euler, frames.sample))
        return multiply(conjugate(sample), euler)
    if frames == "same":
        return np.array([1.0, 0.0, 0.0, 0.0])
    if frames not in _HALF_TURN_AXES:
        raise SettingsError(
            "unknown frames of orientations",
            found=repr(frames),
            expected=", ".join(FRAME_PRESETS) + ", or rotations of Euler and sample frame",
            remedy="set preprocessing.stack.frames",
        )
    return half_turn(_HALF_TURN_AXES[frames])


def _frame_turn(axis_angle: AxisAngle) -> Quaternions:
    """What coordinates undergo where their frame is turned: the opposite rotation."""
    *axis, degrees = axis_angle
    length = float(np.linalg.norm(axis))
    if degrees == 0:
        return np.array([1.0, 0.0, 0.0, 0.0])
    if not (np.isfinite(length) and length > 0 and np.isfinite(degrees)):
        raise SettingsError(
            "a rotation of frames has no axis",
            found=str(axis_angle),
            expected="x, y, z of an axis and an angle in degrees, such as 0, 1, 0, 180",
        )
    half = -np.radians(degrees) / 2
    return np.array([np.cos(half), *(np.sin(half) * np.array(axis) / length)])


@dataclass(frozen=True)
class FrameChoice:
    """How the orientations of a scan came into the map frame.

    Attributes
    ----------
    frames : Frames
        Preset or rotations.
    hexagonal_x : {"a", "a*"}
        Axis of trigonal and hexagonal crystals that the file puts x along.
    by : {"maker", "setting"}
        Whether the frames are the maker's default or were given.
    """

    frames: Frames
    hexagonal_x: HexagonalAxis
    by: Literal["maker", "setting"]

    @classmethod
    def of(cls, maker: Maker, frames: Frames | None, hexagonal_x: HexagonalAxis | None) -> Self:
        """Choice for a file: what was given, or else what its maker does.

        Volumes that were brought into one frame before ("same") have x along a too.
        """
        by_default: HexagonalAxis = "a" if frames == "same" else MAKER_HEXAGONAL_X[maker]
        return cls(
            frames=MAKER_FRAMES[maker] if frames is None else frames,
            hexagonal_x=hexagonal_x or by_default,
            by="maker" if frames is None else "setting",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        plain = self.frames.model_dump() if isinstance(self.frames, FrameRotations) else self.frames
        return {"frames": plain, "hexagonal_x": self.hexagonal_x, "by": self.by}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Choice from what `to_dict` returned."""
        frames = content["frames"]
        return cls(
            frames=FrameRotations.checked(**frames) if isinstance(frames, dict) else frames,
            hexagonal_x=content["hexagonal_x"],
            by=content["by"],
        )

    def describe(self) -> str:
        """One line for the log."""
        name: str = f"{self.frames}"
        if isinstance(self.frames, FrameRotations):
            name = f"Euler {self.frames.euler}, sample {self.frames.sample}"
        origin = "the maker's default" if self.by == "maker" else "as set"
        turned = "; x of hexagonal crystals turned from a* to a" if self.hexagonal_x == "a*" else ""
        return f"{name} ({origin}){turned}"


def turns_over(frames: Frames) -> bool:
    """Whether the frames of a file see a turn in the plane of the scan the other way round."""
    rotation = frame_rotation(frames)
    return bool(2 * (rotation[0] ** 2 + rotation[3] ** 2) - 1 < 0)  # where z goes


def frame_verdict(choice: FrameChoice, votes: float, clear: float, largest_turn: float) -> str:
    """What turned slices say of the frames: their lattices turn with the images, or against.

    Parameters
    ----------
    choice : FrameChoice
    votes : float
        Log-likelihood that lattices turn as their slices do, less that they turn the other way.
    clear : float
        Difference that decides.
    largest_turn : float
        Of a slice against the one before, by the lattice, in degrees; NaN where none is known.

    Returns
    -------
    str
        "fits", "cannot be told" or "another preset fits better: ...", with the numbers. Turns in
        the plane tell presets that turn z over from those that do not, and nothing more.

    Examples
    --------
    >>> frame_verdict(FrameChoice.of("edax", None, None), 40.0, 8.0, 1.5)
    'frames edax_2: fits (log-likelihood 40 better than that of: same; largest turn 1.50 degrees)'
    >>> frame_verdict(FrameChoice.of("edax", None, None), 0.2, 8.0, 0.1)  # doctest: +ELLIPSIS
    'frames edax_2: cannot be told, slices turn by 0.10 degrees at most (log-likelihoods 0.2 ...
    """
    over = turns_over(choice.frames)
    others = ", ".join(preset for preset in FRAME_PRESETS if turns_over(preset) != over)
    name = choice.frames if isinstance(choice.frames, str) else "as given"
    turn = f"largest turn {largest_turn:.2f} degrees"
    if not np.isfinite(largest_turn):
        verdict = "cannot be told (no two slices with orientations of the same grains)"
    elif votes > clear:
        verdict = f"fits (log-likelihood {votes:.0f} better than that of: {others}; {turn})"
    elif votes < -clear:
        verdict = (
            f"another preset fits better: {others} (log-likelihood {-votes:.0f} better; {turn})"
        )
    else:
        apart = f"log-likelihoods {abs(votes):.1f} apart, {clear:g} decide"
        verdict = f"cannot be told, slices turn by {largest_turn:.2f} degrees at most ({apart})"
    return f"frames {name}: {verdict}"


def to_map_frame(
    euler_angles: NDArray[np.float64], choice: FrameChoice, hexagonal: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Bunge angles of a file in the map frame, with x of hexagonal crystals along a.

    Parameters
    ----------
    euler_angles : ndarray of float64, shape (n, 3)
        Radians, finite.
    choice : FrameChoice
    hexagonal : ndarray of bool, shape (n,)
        Points of trigonal and hexagonal phases.

    Returns
    -------
    ndarray of float64, shape (n, 3)
    """
    return _change_frame(euler_angles, choice, hexagonal, back=False)


def from_map_frame(
    euler_angles: NDArray[np.float64], choice: FrameChoice, hexagonal: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Bunge angles as a file of these frames holds them; undoes `to_map_frame`."""
    return _change_frame(euler_angles, choice, hexagonal, back=True)


def _change_frame(
    euler: NDArray[np.float64], choice: FrameChoice, hexagonal: NDArray[np.bool_], back: bool
) -> NDArray[np.float64]:
    turn = frame_rotation(choice.frames)
    moved = hexagonal if choice.hexagonal_x == "a*" else np.zeros(len(euler), bool)
    if choice.frames == "same" and not moved.any():
        return euler
    quaternions = multiply(quaternions_from_euler(euler), turn if back else conjugate(turn))
    # a* is 30 degrees from a, towards b: what lies along x' = a* lies 30 degrees on from x = a.
    half = np.radians(-15.0 if back else 15.0)
    quaternions[moved] = multiply([np.cos(half), 0, 0, np.sin(half)], quaternions[moved])
    return euler_from_quaternions(quaternions)
