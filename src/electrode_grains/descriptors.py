"""Descriptors of grains, each declared once: table, models, figures, report, exports, scores.

A descriptor is a column of the grain table. Its declaration says how it is written, which
values are possible, which distributions compete for it and where it appears; no other module
lists descriptors by name. One that is measured elsewhere is added by `register_descriptor`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from electrode_grains.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTRY_POINT_GROUP = "electrode_grains.descriptors"
UNBOUNDED = (-math.inf, math.inf)
POSITIVE = (0.0, math.inf)
PLAIN_SYMBOLS = {r"\varphi": "φ", r"\theta": "θ"}
LENGTH_POWERS = {"nm": 1, "nm2": 2, "nm3": 3}

SIZE_FAMILIES = (
    "inverse_gaussian", "lognormal", "gamma", "weibull", "normal", "logistic",
    "log_logistic", "generalized_gamma", "burr_xii", "generalized_extreme_value",
    "gumbel_maximum", "gumbel_minimum", "skew_normal", "lognormal_mixture",
)  # fmt: skip
"""Marginal families that compete for a positive size."""
SHARE_FAMILIES = (
    "beta", "kumaraswamy", "logit_normal", "generalized_extreme_value",
    "reflected_generalized_extreme_value", "gumbel_maximum", "gumbel_minimum", "normal",
    "logistic", "skew_normal", "inverse_gaussian", "lognormal", "gamma", "weibull",
    "beta_mixture", "normal_mixture", "gumbel_minimum_mixture",
)  # fmt: skip
"""Marginal families that compete for a shape factor in (0, 1)."""


@dataclass(frozen=True)
class Descriptor:
    r"""A column of the grain table.

    Attributes
    ----------
    name : str
        Column of the table; ends in its unit where that is one of length.
    title : str
        As prose, axes and tables write it.
    meaning : str
        One line for the documentation.
    symbol : str
        In matplotlib's mathematical text, such as ``\varphi``.
    unit : str
        "nm", "nm2", "nm3", "rad" or "" for a number without one.
    limits : (float, float)
        Values outside are impossible and refused; ends of axes.
    families : tuple of str
        Marginal families that compete for it. Descriptors with families are modelled: they
        stand in Tables 1 and 2, Fig. 7 and the report.
    support : (float, float), optional
        Range that every family is truncated to; `limits` by default.
    bin_width : float, optional
        Of the histogram in Fig. 7; by the rule of Freedman and Diaconis by default.
    exported : bool
        Whether it travels with the voxels and faces of a grain to other programs.
    exported_as : str
        Name where a program has its own (DREAM.3D); `name` in camel case by default.
    scored : bool
        Whether it is compared with the truth, and pairs of it enter the correlations.
    required : bool
        Whether a grain table without it is refused.
    page : str
        Its page in ``docs/descriptors``.
    """

    name: str
    title: str
    meaning: str = ""
    symbol: str = ""
    unit: str = ""
    limits: tuple[float, float] = UNBOUNDED
    families: tuple[str, ...] = ()
    support: tuple[float, float] | None = None
    bin_width: float | None = None
    exported: bool = False
    exported_as: str = ""
    scored: bool = False
    required: bool = False
    page: str = ""

    @property
    def is_modelled(self) -> bool:
        """Whether distributions are fitted to it."""
        return bool(self.families)

    @property
    def fitted_support(self) -> tuple[float, float]:
        """Range that every candidate family is truncated to."""
        return self.limits if self.support is None else self.support

    @property
    def length_power(self) -> int:
        """Power of the length in its unit: 0 for a pure number, 3 for a volume."""
        return LENGTH_POWERS.get(self.unit, 0)

    @property
    def axis(self) -> str:
        """Label of an axis, in matplotlib's mathematical text."""
        symbol = f" ${self.symbol}$" if self.symbol else ""
        return f"{self.title}{symbol}{self._per_unit}"

    @property
    def plain_axis(self) -> str:
        """Label of an axis without mathematical text, for pages."""
        symbol = f" {PLAIN_SYMBOLS.get(self.symbol, self.symbol)}" if self.symbol else ""
        return f"{self.title}{symbol}{self._per_unit}"

    @property
    def export_name(self) -> str:
        """Name in files of programs that write names in camel case."""
        return self.exported_as or "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def _per_unit(self) -> str:
        return f" / {self.unit}" if self.unit else ""


@dataclass(frozen=True)
class Grain:
    """One grain, as a function of `register_descriptor` gets it.

    Attributes
    ----------
    label : int
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.
    values : mapping
        Columns of the grain table that were measured before.
    labels : ndarray of integer, shape (z, y, x)
        Labels in the bounding box of the grain.
    """

    label: int
    spacing: tuple[float, float, float]
    values: Mapping[Hashable, Any]
    labels: NDArray[Any]

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels of the grain in its bounding box, shape (z, y, x)."""
        inside: NDArray[np.bool_] = self.labels == self.label
        return inside

    def __getitem__(self, column: str) -> Any:
        """Value of a column that was measured before."""
        return self.values[column]


Compute = Callable[[Grain], float]

_REGISTRY: dict[str, Descriptor] = {}
_COMPUTED: dict[str, Compute] = {}
_loaded_groups: set[str] = set()


def register_descriptor(descriptor: Descriptor, compute: Compute | None = None) -> Descriptor:
    """Add a descriptor to every grain table, model, figure, report, export and score.

    Parameters
    ----------
    descriptor : Descriptor
        Its declaration. One with `families` is fitted and drawn, one that is `exported` or
        `scored` appears there too.
    compute : callable of a `Grain` returning float, optional
        Measures one grain; NaN where the descriptor is not defined. None for a column that
        another program adds to the table.

    Returns
    -------
    Descriptor
        The same.

    Raises
    ------
    SettingsError
        If the name is taken or impossible, or the limits are.

    Notes
    -----
    A package announces its descriptors to every run by an entry point of the group
    ``electrode_grains.descriptors`` that names a function without arguments, which registers
    them; in a session it is enough to call this function.

    Examples
    --------
    >>> compactness = Descriptor("compactness", "Compactness", limits=(0.0, 1.0))
    >>> _ = register_descriptor(compactness, lambda grain: grain.mask.mean())
    >>> "compactness" in DESCRIPTORS
    True
    >>> forget_descriptor("compactness")
    """
    if not descriptor.name.isidentifier():
        raise SettingsError(
            "the name of a descriptor is not possible",
            found=repr(descriptor.name),
            expected="letters, digits and underscores, as in a name of Python",
        )
    if descriptor.name in DESCRIPTORS:
        raise SettingsError(
            "a descriptor is registered already",
            found=repr(descriptor.name),
            remedy="choose another name, or forget_descriptor the first",
        )
    for meaning, (low, high) in (
        ("limits", descriptor.limits),
        ("support", descriptor.fitted_support),
    ):
        if not low < high:
            raise SettingsError(
                f"the {meaning} of descriptor {descriptor.name!r} are not possible",
                found=str((low, high)),
                expected="(low, high) with low < high",
            )
    _REGISTRY[descriptor.name] = descriptor
    if compute is not None:
        _COMPUTED[descriptor.name] = compute
    return descriptor


def forget_descriptor(name: str) -> None:
    """Take back what `register_descriptor` added.

    Raises
    ------
    SettingsError
        If there is none of that name, or the program itself measures it.
    """
    if name not in DESCRIPTORS or name in _BUILT_IN:
        raise SettingsError(
            "only a descriptor that was registered can be forgotten",
            found=repr(name),
            expected=", ".join(set(DESCRIPTORS) - _BUILT_IN) or "one that was registered",
        )
    del _REGISTRY[name]
    _COMPUTED.pop(name, None)


def computed_descriptors() -> dict[str, tuple[Descriptor, Compute]]:
    """Descriptors that users measure by a function, by name."""
    _load_announced()
    return {name: (_REGISTRY[name], compute) for name, compute in _COMPUTED.items()}


class _Selection(Mapping[str, Descriptor]):
    """A live view of the descriptors for which a condition holds, in order of registration."""

    def __init__(self, keep: Callable[[Descriptor], bool]) -> None:
        self._keep = keep

    def __getitem__(self, name: str) -> Descriptor:
        _load_announced()
        known = _REGISTRY[name]
        if not self._keep(known):
            raise KeyError(name)
        return known

    def __iter__(self) -> Iterator[str]:
        _load_announced()
        return (name for name, known in list(_REGISTRY.items()) if self._keep(known))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<descriptors {', '.join(self)}>"


DESCRIPTORS: Mapping[str, Descriptor] = _Selection(lambda known: True)
"""All descriptors by name."""
MODELLED: Mapping[str, Descriptor] = _Selection(lambda known: known.is_modelled)
"""Those that distributions are fitted to; the six of the paper first, in its order."""
EXPORTED: Mapping[str, Descriptor] = _Selection(lambda known: known.exported)
"""Those that travel with voxels and faces to other programs."""
SCORED: Mapping[str, Descriptor] = _Selection(lambda known: known.scored)
"""Those that are compared with the truth."""


def _load_announced() -> None:
    """Register, once, what installed packages announce by entry points."""
    if ENTRY_POINT_GROUP in _loaded_groups:
        return
    _loaded_groups.add(ENTRY_POINT_GROUP)  # first: what is loaded looks descriptors up itself
    for announced in entry_points(group=ENTRY_POINT_GROUP):
        announced.load()()


def _declare(name: str, title: str, meaning: str, **options: Any) -> None:
    _REGISTRY[name] = Descriptor(name, title, meaning, **options)


def _declare_modelled() -> None:
    """The six characteristics of the paper, in the order of its tables and panels.

    Volume and surface stand where exports write them.

    Bin widths are those of Fig. 7 of Furat et al., J. Power Sources 483 (2021) 229148.
    """
    shape: dict[str, Any] = {"exported": True, "scored": True, "required": True}
    _declare(
        "equivalent_diameter_nm", "Equivalent diameter", "diameter of the sphere of equal volume",
        symbol="d", unit="nm", limits=POSITIVE, families=SIZE_FAMILIES, bin_width=36.0,
        exported_as="EquivalentDiameters", page="size", **shape,
    )  # fmt: skip
    _declare("volume_nm3", "Volume", "voxels times the volume of a voxel", symbol="V", unit="nm3",
             limits=POSITIVE, exported=True, exported_as="Volumes", required=True,
             page="size")  # fmt: skip
    _declare("surface_area_nm2", "Surface area", "by Crofton's formula in 13 directions",
             symbol="a", unit="nm2", limits=POSITIVE, exported=True, exported_as="SurfaceAreas",
             required=True, page="surface")  # fmt: skip
    _declare(
        "sphericity", "Sphericity", "surface of the sphere of equal volume over the surface",
        symbol="s", limits=POSITIVE, support=(0.0, 1.0), families=SHARE_FAMILIES, bin_width=0.01,
        page="surface", **shape,
    )  # fmt: skip
    _declare(
        "convexity", "Convexity", "voxels over those of the convex hull", symbol="c",
        limits=(0.0, 1.0), families=SHARE_FAMILIES, bin_width=0.015, page="convexity", **shape,
    )  # fmt: skip
    _declare(
        "elongation", "Elongation", "shortest over longest half-axis", symbol="e",
        limits=(0.0, 1.0), families=SHARE_FAMILIES, bin_width=0.014, page="elongation", **shape,
    )  # fmt: skip
    _declare(
        "azimuthal_angle", "Azimuthal angle", "of the longest half-axis, in [-pi, pi)",
        symbol=r"\varphi", unit="rad", limits=(-math.pi, math.pi), bin_width=0.21, exported=True,
        families=(
            "gaussian_mixture", "uniform", "von_mises", "axial_von_mises", "von_mises_mixture",
        ),
        required=True, page="direction",
    )  # fmt: skip
    _declare(
        "polar_angle", "Polar angle", "of the longest half-axis to z, in [0, pi/2]",
        symbol=r"\theta", unit="rad", limits=(0.0, 0.5 * math.pi), bin_width=0.1, exported=True,
        families=("sine", "watson", "beta_cosine", "uniform"), required=True, page="direction",
    )  # fmt: skip


def _declare_measured() -> None:
    """The other columns that the program measures."""
    _declare("label", "Label", "number of the grain in grain_label_volume", required=True)
    _declare("voxel_count", "Voxels", "number of voxels", limits=(1, math.inf), required=True,
             page="size")  # fmt: skip
    _declare("hull_voxel_count", "Hull voxels", "lattice points in the convex hull",
             required=True, page="convexity")  # fmt: skip
    _declare("flatness", "Flatness", "shortest over middle half-axis", limits=(0.0, 1.0),
             page="elongation")  # fmt: skip
    for rank in ("short", "middle", "long"):
        _declare(f"half_axis_{rank}_nm", f"Half-axis ({rank})", "of the ellipsoid of equal moments",
                 unit="nm", limits=POSITIVE, page="elongation")  # fmt: skip
    for axis in "xyz":
        _declare(f"centroid_{axis}_nm", f"Centroid {axis}", "mean position of voxel centres",
                 unit="nm", required=True, page="size")  # fmt: skip
    for end in ("first", "last"):
        for axis in "zyx":
            _declare(f"box_{end}_{axis}", f"Box, {end} {axis}", "bounding box in voxels",
                     page="size")  # fmt: skip
    _declare("touches_window", "Cut by the window", "whether the window cuts the grain",
             required=True, page="edges")  # fmt: skip
    _declare("edge_weight", "Edge weight", "inverse chance of being seen whole", required=True,
             page="edges")  # fmt: skip
    _declare("neighbour_count", "Neighbours", "grains that share a face", page="surface")
    _declare("surface_distance_nm", "Distance to the surface", "of the centroid to label 0",
             unit="nm", limits=POSITIVE, page="place")  # fmt: skip
    _declare("distance_to_center_nm", "Distance to the centre", "of the centroid to the particle's",
             unit="nm", limits=POSITIVE, page="place")  # fmt: skip
    _declare("radial_angle", "Radial angle", "longest half-axis to the radial direction",
             unit="rad", limits=(0.0, 0.5 * math.pi), page="place")  # fmt: skip
    _declare("mean_image_quality", "Mean image quality", "over the voxels that have one",
             page="lattice")  # fmt: skip
    for part in "wxyz":
        _declare(f"orientation_{part}", f"Orientation {part}", "mean lattice orientation",
                 page="lattice")  # fmt: skip
    for angle, written in (("phi1", "φ₁"), ("Phi", "Φ"), ("phi2", "φ₂")):
        _declare(f"bunge_{angle}", f"Bunge {written}", "mean lattice orientation", unit="rad",
                 page="lattice")  # fmt: skip
    _declare("grain_orientation_spread", "Orientation spread", "mean misorientation to the mean",
             unit="rad", limits=(0.0, math.pi), page="lattice")  # fmt: skip
    _declare("orientation_share", "Orientation share", "weight of points that agree on the mean",
             page="lattice")  # fmt: skip
    _declare("c_axis_radial_angle", "c-axis to radius", "c-axis to the radial direction",
             unit="rad", limits=(0.0, 0.5 * math.pi), page="lattice")  # fmt: skip
    for subject in ("degenerate", "place", "orientation"):
        _declare(f"{subject}_reason", f"Reason ({subject})", "why values are null", page="size")


_declare_modelled()
_declare_measured()
_BUILT_IN = frozenset(_REGISTRY)
