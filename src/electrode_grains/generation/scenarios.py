"""Virtual particles that differ from a calibrated one in what a study varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import SerializerFunctionWrapHandler, field_validator, model_serializer
from scipy import ndimage

from electrode_grains.base import Length, Settings, setting
from electrode_grains.errors import SettingsError
from electrode_grains.generation.comparison import LOW_ANGLE
from electrode_grains.generation.moments import CHARACTERISTICS
from electrode_grains.generation.orientations import OrientationStatistics
from electrode_grains.generation.particles import (
    CalibratedModel,
    Labels,
    VirtualParticle,
    oriented,
    scaled,
    window_labels,
)
from electrode_grains.generation.twins import LEAST_PIECE, with_twins
from electrode_grains.tessellation import ArchitectureModel, Placement

VOID_SPREAD = 0.3  # of the logarithm of diameters of voids
CRACK_ALONG = 0.5  # least cosine between the normals of a contact and of its crack
CRACK_REACH = 0.5  # mean diameters of grains from the plane of a crack to its contacts
CRACK_LENGTH = 4.0  # mean diameters of grains from the middle of a crack to its ends
MOST_CRACKS = 200
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Scenario(Settings):
    """How one virtual particle differs from the calibrated architecture."""

    name: str = setting("as_fitted", "names its channel, rows and folder", pattern=NAME)
    size: float = setting(1.0, "factor of all lengths of grains", gt=0.1, lt=10)
    spread: float = setting(1.0, "factor of the standard deviation of diameters", gt=0.1, lt=3)
    elongation: float | None = setting(
        None, "mean elongation that cells are given; null: as fitted", gt=0.3, lt=0.97
    )
    roughness: float = setting(1.0, "factor of the displacement of interfaces", ge=0, lt=5)
    long_axis_concentration: float | None = setting(
        None,
        "Watson's, of long axes about the radius: 6 points most of them outwards, -6 along the "
        "surface; null: as in the data",
        ge=-30,
        le=30,
    )
    size_gradient: float | None = setting(
        None,
        "correlation of size and distance to the centre; null: as in the data",
        ge=-0.95,
        le=0.95,
    )
    radial_texture: float | None = setting(
        None,
        "share of grains whose c axis points to the centre, the others at random; null: as in "
        "the data",
        ge=0,
        le=1,
    )
    twin_share: float = setting(
        0.0, "of the grains of 200 voxels or more, that have a twin lamella", ge=0, le=1
    )
    void_share: float = setting(0.0, "of the particle's volume, in round voids", ge=0, le=0.4)
    void_diameter_nm: Length = setting(300.0, "median diameter of voids", unit="nm", gt=0)
    crack_share: float = setting(
        0.0, "of the particle's volume, in cracks one voxel wide between grains", ge=0, le=0.2
    )

    @model_serializer(mode="wrap")
    def _as_given(self, complete: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Name what a row names: Kedro hands it on as it is to steps that take all parameters."""
        return {name: v for name, v in complete(self).items() if name in self.model_fields_set}

    def architecture(self, model: ArchitectureModel) -> ArchitectureModel:
        """Architecture of the scenario from the calibrated one."""
        sized = scaled(model, self.size)
        return sized.replace(
            std_diameter_nm=self.spread * sized.std_diameter_nm,
            elongation=self.elongation or model.elongation,
            roughness_nm=self.roughness * sized.roughness_nm,
        )

    def placement(self, fitted: Placement) -> Placement:
        """How grains of the scenario lie, from how they lie in the data."""
        named = {
            name: getattr(self, name)
            for name in ("long_axis_concentration", "size_gradient")
            if getattr(self, name) is not None
        }
        return replace(fitted, **named)


USUAL = (
    Scenario(),
    Scenario(name="small_grains", size=0.7),
    Scenario(name="long_grains", elongation=0.6),
    Scenario(name="spokes", elongation=0.6, long_axis_concentration=6.0),
    Scenario(name="smooth", roughness=0.3),
    Scenario(name="radial", radial_texture=1.0),
    Scenario(name="twinned", twin_share=0.3),
    Scenario(name="porous", void_share=0.05),
    Scenario(name="cracked", crack_share=0.02),
)


class ScenarioSettings(Settings):
    """Which scenarios are made."""

    table: tuple[Scenario, ...] = setting(USUAL, "one particle each")
    seed: int = setting(31, "of all random draws; scenarios share the shell", ge=0)

    @field_validator("table")
    @classmethod
    def _named_apart(cls, table: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
        names = [scenario.name for scenario in table]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise ValueError(
                f"scenarios need names of their own: {', '.join(twice) or 'there is none'}"
            )
        return table


def make_scenario(
    scenario: Scenario,
    model: CalibratedModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    seed: int,
    orientations: OrientationStatistics | float = 0.0,
    laue: str = "-3m",
) -> tuple[VirtualParticle, float]:
    """Make the particle of a scenario.

    Parameters
    ----------
    scenario : Scenario
    model : CalibratedModel
    shape, spacing, orientations, laue
        As for `generate`; orientations are those of scenarios without `radial_texture`.
    seed : int
        Particles of one seed have one shell.

    Returns
    -------
    particle : VirtualParticle
        Pieces of a grain that a crack or a twin has parted are grains of their own, and so are
        twins.
    open_share : float
        Of the particle's volume, in voids, cracks and the chips that fell out of them.
    """
    body = model.draw_body(np.random.default_rng(seed))
    rng = np.random.default_rng([seed, 1])
    architecture = scenario.architecture(model.architecture)
    whole = window_labels(
        architecture, shape, spacing, rng, body, scenario.placement(model.placement)
    )
    opened = open_voids(whole, spacing, scenario.void_share, scenario.void_diameter_nm, rng)
    opened = open_cracks(opened, spacing, scenario.crack_share, architecture.mean_diameter_nm, rng)
    if scenario.radial_texture is not None:
        orientations = scenario.radial_texture
    pieces = separate_pieces(opened, whole)
    share = 1 - np.count_nonzero(pieces) / np.count_nonzero(whole)
    particle = oriented(pieces, spacing, rng, orientations, laue)
    if scenario.twin_share:
        particle = with_twins(particle, spacing, scenario.twin_share, laue, rng)
    return particle, share


def open_voids(
    labels: Labels,
    spacing: Sequence[float],
    share: float,
    diameter_nm: float,
    rng: np.random.Generator,
) -> Labels:
    """Open round voids in a particle until they have a share of its volume.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Grains; 0 lies outside of the particle.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    share : float
        Of the particle's voxels.
    diameter_nm : float
        Median; diameters are lognormal.
    rng : Generator

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        0 in voids, which lie anywhere in the particle, at its surface too, and may overlap. The
        last one is smaller, so that the share is met to half a percent of itself or one voxel.
    """
    opened = labels.copy()
    wanted = round(share * np.count_nonzero(labels))
    inside = np.flatnonzero(labels)
    steps = np.asarray(spacing, float)
    while (lacking := wanted - (len(inside) - np.count_nonzero(opened))) > 0:
        middle = np.array(np.unravel_index(rng.choice(inside), labels.shape))
        radius = diameter_nm / 2 * np.exp(VOID_SPREAD * rng.standard_normal())
        reach = np.ceil(radius / steps).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, labels.shape)
        part = opened[tuple(map(slice, low, high))]
        grid = np.meshgrid(
            *(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"
        )
        away = sum(((g - m) * s) ** 2 for g, m, s in zip(grid, middle, steps, strict=True))
        within = np.flatnonzero((away <= radius**2) & (part > 0))
        nearest = within[np.argsort(np.ravel(away)[within], kind="stable")[:lacking]]
        part[np.unravel_index(nearest, part.shape)] = 0
    return opened


def open_cracks(
    labels: Labels,
    spacing: Sequence[float],
    share: float,
    mean_diameter_nm: float,
    rng: np.random.Generator,
) -> Labels:
    """Open cracks along boundaries of grains until they have a share of the particle's volume.

    Parameters
    ----------
    labels, spacing, share, rng
        As for `open_voids`.
    mean_diameter_nm : float
        Of grains, which a crack goes around.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        0 in cracks. Each follows a random plane through the particle from contact to contact of
        grains, from its middle outwards, one voxel wide, on the side of the larger label.

    Raises
    ------
    SettingsError
        If the boundaries have no room for such a share.
    """
    opened = labels.copy()
    wanted = round(share * np.count_nonzero(labels))
    if not wanted:
        return opened
    faces = _boundary_voxels(labels, spacing)
    removed: int = 0
    for _ in range(MOST_CRACKS):
        contact = rng.integers(len(faces.middles))
        normal = rng.standard_normal(3)
        normal /= np.linalg.norm(normal)
        away = faces.middles - faces.middles[contact]
        near = np.abs(away @ normal) < CRACK_REACH * mean_diameter_nm
        near &= np.linalg.norm(away, axis=1) < CRACK_LENGTH * mean_diameter_nm
        near &= np.abs(faces.normals @ normal) > CRACK_ALONG
        taken = np.flatnonzero(near[faces.contact])
        order = np.argsort(np.linalg.norm(away[faces.contact[taken]], axis=1), kind="stable")
        voxels = faces.voxels[taken[order]]
        voxels = voxels[np.sort(np.unique(voxels, return_index=True)[1])]
        voxels = voxels[opened.ravel()[voxels] > 0][: wanted - removed]
        opened.ravel()[voxels] = 0
        removed += len(voxels)
        if removed >= wanted:
            return opened
    raise SettingsError(
        "the boundaries of the grains have no room for so many cracks",
        found=f"a share of {removed / np.count_nonzero(labels):.3f}",
        expected=f"{share:g}",
        remedy="lower crack_share",
    )


class _Boundaries:
    """Voxels at contacts of two grains, each with its contact.

    Attributes
    ----------
    voxels, contact : ndarray of int64, shape (n,)
        Place in the volume of a voxel of the larger label; its contact.
    middles, normals : ndarray of float64, shape (m, 3)
        Of each contact (z, y, x): mean position in nm, mean direction of its faces.
    """

    def __init__(
        self,
        voxels: NDArray[np.int64],
        pairs: NDArray[np.int64],
        places: NDArray[np.float64],
        directions: NDArray[np.float64],
    ) -> None:
        _, self.contact = np.unique(pairs, axis=0, return_inverse=True)
        self.contact = self.contact.ravel()
        self.voxels = voxels
        count = np.bincount(self.contact)
        means = [
            np.column_stack([np.bincount(self.contact, each[:, axis]) for axis in range(3)])
            for each in (places, directions)
        ]
        self.middles = means[0] / count[:, None]
        length = np.linalg.norm(means[1], axis=1, keepdims=True)
        self.normals = means[1] / np.maximum(length, 1e-9)


def _boundary_voxels(labels: Labels, spacing: Sequence[float]) -> _Boundaries:
    """Voxels of the larger label at each face between two grains."""
    places = np.arange(labels.size).reshape(labels.shape)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    area = np.prod(spacing) / np.asarray(spacing, float)
    for axis in range(3):
        low, high = (np.moveaxis(labels, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        at = [np.moveaxis(places, axis, 0)[part] for part in (slice(-1), slice(1, None))]
        between = (low != high) & (low > 0) & (high > 0)
        first, second = low[between].astype(np.int64), high[between].astype(np.int64)
        voxel = np.where(first > second, at[0][between], at[1][between])
        pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
        direction = np.zeros((len(voxel), 3))
        direction[:, axis] = np.where(first > second, -1.0, 1.0) * area[axis]
        found.append((voxel, pairs, direction))
    voxels, pairs, directions = (np.concatenate(each) for each in zip(*found, strict=True))
    if not len(voxels):
        raise SettingsError("no two grains touch each other, so that nothing can crack")
    where = np.stack(np.unravel_index(voxels, labels.shape), axis=1) * np.asarray(spacing, float)
    return _Boundaries(voxels, pairs, where, directions)


def separate_pieces(opened: Labels, whole: Labels) -> Labels:
    """Number grains anew that voids or cracks have cut in pieces, each piece being one.

    Parameters
    ----------
    opened, whole : ndarray of int32, shape (z, y, x)
        Grains after and before.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Chips of less than twenty voxels, beside a larger piece, fall out. Grains that have lost
        nothing stay as they are, though the window may have cut them in pieces.
    """
    pieces = np.zeros_like(opened)
    hurt = set(np.unique(whole[opened != whole]).tolist())
    count = 0
    for grain, box in enumerate(ndimage.find_objects(opened), start=1):
        if box is None:
            continue
        own = opened[box] == grain
        parts, found = ndimage.label(own) if grain in hurt else (own.astype(np.int32), 1)
        sizes = np.bincount(parts.ravel(), minlength=found + 1)[1:]
        kept = (sizes >= LEAST_PIECE) | (sizes == sizes.max())
        numbers = np.append(0, np.where(kept, np.cumsum(kept) + count, 0))
        pieces[box][own] = numbers[parts[own]]
        count += int(kept.sum())
    return pieces


def summarize_scenarios(
    scenarios: Sequence[Scenario],
    particles: Sequence[VirtualParticle],
    shares: Sequence[float],
) -> pd.DataFrame:
    """List what was varied and what came out.

    Parameters
    ----------
    scenarios : sequence of Scenario
    particles : sequence of VirtualParticle
    shares : sequence of float
        Of the volume of each particle that is void or crack.

    Returns
    -------
    DataFrame
        One row per scenario: its settings, then `grain_count`, `open_share`, mean and std of
        the characteristics of whole grains, `grain_surface_per_volume_per_um`,
        `mean_neighbour_count`, `low_angle_share` and `mean_c_axis_radial_angle`.
    """
    rows = []
    for scenario, particle, share in zip(scenarios, particles, shares, strict=True):
        grains, contacts = particle.grains, particle.contacts
        whole = grains[~grains["touches_window"].astype(bool)]
        moments = {
            f"{what}_{name}": getattr(whole[name], what)()
            for name in CHARACTERISTICS
            for what in ("mean", "std")
        }
        area = contacts["interface_area_nm2"]
        low = area[contacts["misorientation_angle"] < LOW_ANGLE]
        rows.append(
            {
                "name": scenario.name,
                **{
                    f"set_{n}": np.nan if v is None else v
                    for n, v in dict(scenario).items()
                    if n != "name"
                },
                "grain_count": len(grains),
                "open_share": share,
                **moments,
                "grain_surface_per_volume_per_um": 1e3
                * float(whole["surface_area_nm2"].sum() / whole["volume_nm3"].sum()),
                "mean_neighbour_count": float(whole["neighbour_count"].mean()),
                "low_angle_share": float(low.sum() / max(area.sum(), 1e-300)),
                "mean_c_axis_radial_angle": float(grains["c_axis_radial_angle"].mean()),
            }
        )
    return pd.DataFrame(rows)
