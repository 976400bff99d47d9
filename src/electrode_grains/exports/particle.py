"""What is exported: grains in their window, with what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.descriptors import EXPORTED
from electrode_grains.errors import InputError

MAP_AXES = "x right, y down, z along milling, right-handed"
MAP_FRAMES = (
    f"Bunge angles in rad in the frame of the map ({MAP_AXES}), x of hexagonal crystals along a"
)


@dataclass(frozen=True)
class ExportedParticle:
    """A segmented particle.

    Attributes
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.
    grains : DataFrame
        Grain table: `label` and what was measured.
    name, material : str
    laue_group : str
    image_quality : ndarray of float, shape (z, y, x), optional
    euler_angles : ndarray of float, shape (z, y, x, 3), optional
        Bunge angles in radians, NaN where unknown; in the frame of the map, x of hexagonal
        crystals along a, as DREAM.3D has them.
    read_as : str
        How the orientations of the scans came into that frame; empty where nobody knows.

    Raises
    ------
    InputError
        If the volumes differ in shape, or the table has a label twice.
    """

    labels: NDArray[np.integer]
    spacing: tuple[float, float, float]
    grains: pd.DataFrame
    name: str = "particle"
    material: str = ""
    laue_group: str = "-3m"
    image_quality: NDArray[np.floating] | None = None
    euler_angles: NDArray[np.floating] | None = None
    read_as: str = ""

    def __post_init__(self) -> None:
        """Check that all volumes cover one window."""
        for name in ("image_quality", "euler_angles"):
            values = getattr(self, name)
            if values is not None and values.shape[:3] != self.labels.shape:
                raise InputError(
                    f"{name} and labels cover different windows",
                    found=f"{values.shape[:3]} and {self.labels.shape}",
                )
        repeated = self.grains["label"][self.grains["label"].duplicated()]
        if len(repeated):
            raise InputError(
                "a label has several rows in the grain table",
                found=f"label {repeated.iloc[0]}",
                expected="one row per grain",
                remedy="measure the grains again",
            )

    @property
    def orientations(self) -> str:
        """What files say of the frame of orientations; empty where there are none."""
        known = self.euler_angles is not None or np.isfinite(self.mean_euler_angles).any()
        return self.frames if known else ""

    @property
    def frames(self) -> str:
        """Frame of orientations, and how those of the scans came into it."""
        read = f"; scans read as {self.read_as}" if self.read_as else ""
        return MAP_FRAMES + read

    @cached_property
    def ids(self) -> NDArray[Any]:
        """Labels of the grains in rising order, shape (n,); int64, uint64 where one needs it."""
        layers = [np.unique(layer) for layer in self.labels]  # sorting all would copy all
        found = np.unique(np.concatenate([self.labels[:0].ravel(), *layers]))
        found = found[found != 0]
        kind = np.uint64 if len(found) and int(found[-1]) >= 2**63 else np.int64
        ids: NDArray[Any] = found.astype(kind)
        return ids

    @cached_property
    def feature_ids(self) -> NDArray[np.int32]:
        """Grains numbered 1 to n in the order of `ids`, shape (z, y, x)."""
        numbers = np.zeros(self.labels.shape, np.int32)
        for layer, own in zip(self.labels, numbers, strict=True):
            own[:] = np.searchsorted(self.ids, layer.astype(self.ids.dtype)) + 1
            own[layer == 0] = 0
        return numbers

    @cached_property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """Each exported descriptor by feature id, shape (n + 1,); NaN for 0 and what is unknown.

        Examples
        --------
        >>> table = pd.DataFrame({"label": [7], "sphericity": [0.8]})
        >>> particle = ExportedParticle(np.array([[[0, 7, 9]]]), (50, 50, 50), table)
        >>> particle.values["sphericity"].tolist()
        [nan, 0.8, nan]
        """
        return {
            name: np.concatenate([[np.nan], self.rows[name].to_numpy(float)])
            for name in EXPORTED
            if name in self.rows
        }

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Grain table by feature id from 1 to n, in the order of `ids`."""
        return self.grains.set_index("label").reindex(self.ids)

    @cached_property
    def mean_euler_angles(self) -> NDArray[np.float64]:
        """Bunge angles of each grain by feature id in rad, shape (n + 1, 3); NaN where unknown."""
        angles = np.full((len(self.ids) + 1, 3), np.nan)
        names = ["bunge_phi1", "bunge_Phi", "bunge_phi2"]
        if set(names) <= set(self.rows):
            angles[1:] = self.rows[names].to_numpy(float)
        return angles
