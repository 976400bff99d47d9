"""One look for all figures: size, fonts, colours, names and symbols."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from electrode_grains.descriptors import DESCRIPTORS, MODELLED

P = ParamSpec("P")
R = TypeVar("R")

SINGLE_COLUMN = 3.54
"""Width of one journal column in inches (90 mm)."""
DOUBLE_COLUMN = 7.48
"""Width of a journal page in inches (190 mm)."""
NM_PER_UM = 1000.0

# Okabe and Ito's palette, which readers with any colour vision can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#767676"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)

STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "mathtext.fontset": "dejavusans",
    "image.interpolation": "nearest",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


CHARACTERISTICS = MODELLED
"""Descriptors that are fitted: the six of the paper, in the order of its tables, then others."""

FAMILIES: Mapping[str, str] = {
    "inverse_gaussian": "inverse Gaussian",
    "lognormal": "log-normal",
    "weibull": "Weibull",
    "log_logistic": "log-logistic",
    "generalized_gamma": "generalised gamma",
    "burr_xii": "Burr XII",
    "generalized_extreme_value": "generalised extreme value",
    "reflected_generalized_extreme_value": "reflected generalised extreme value",
    "gumbel_minimum": "Gumbel (minimum)",
    "gumbel_maximum": "Gumbel (maximum)",
    "skew_normal": "skew-normal",
    "logit_normal": "logit-normal",
    "kumaraswamy": "Kumaraswamy",
    "gaussian_mixture": "Gaussian mixture",
    "inverse_generalized_gamma": "inverse generalised gamma",
    "normal_mixture": "mixture of two normals",
    "lognormal_mixture": "mixture of two log-normals",
    "beta_mixture": "mixture of two betas",
    "gumbel_minimum_mixture": "mixture of two Gumbel (minimum)",
    "gumbel_maximum_mixture": "mixture of two Gumbel (maximum)",
    "von_mises": "von Mises",
    "axial_von_mises": "axial von Mises",
    "von_mises_mixture": "mixture of two von Mises",
    "watson": "Watson",
    "beta_cosine": "beta of the cosine",
    "ali_mikhail_haq": "Ali-Mikhail-Haq",
    "clayton": "Clayton",
    "frank": "Frank",
    "gumbel": "Gumbel",
    "joe": "Joe",
    "bb1": "BB1 (Clayton-Gumbel)",
    "bb3": "BB3",
    "bb5": "BB5",
    "bb8": "BB8 (Joe-Frank)",
    "gaussian": "Gaussian",
    "student": "Student t",
}


@contextmanager
def own_style(settings: Mapping[str, Any]) -> Iterator[None]:
    """Draw with these settings over matplotlib's own, whatever `matplotlibrc` a user has."""
    own: Any = dict(settings)  # matplotlib types its keys one by one
    with rc_context():
        rcdefaults()
        rcParams.update(own)
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw with the journal style and leave the caller's own style untouched."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_style(STYLE):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """Open an empty figure of a size in inches whose parts arrange themselves."""
    return Figure(figsize=(width, height), layout="constrained")


def characteristic_name(name: str) -> str:
    """Name of a characteristic as prose writes it; unknown ones lose their underscores.

    Examples
    --------
    >>> characteristic_name("equivalent_diameter_nm"), characteristic_name("crack_length")
    ('Equivalent diameter', 'Crack length')
    """
    known = DESCRIPTORS.get(name)
    return known.title if known else name.replace("_", " ").strip().capitalize()


def axis_label(name: str) -> str:
    """Label of an axis: name, symbol and unit where they are known.

    Examples
    --------
    >>> axis_label("equivalent_diameter_nm")
    'Equivalent diameter $d$ / nm'
    """
    known = DESCRIPTORS.get(name)
    return known.axis if known else escape_math(characteristic_name(name))


def plain_axis_label(name: str) -> str:
    """Label of an axis without mathematical text, for pages.

    Examples
    --------
    >>> plain_axis_label("equivalent_diameter_nm"), plain_axis_label("azimuthal_angle")
    ('Equivalent diameter d / nm', 'Azimuthal angle φ / rad')
    """
    known = DESCRIPTORS.get(name)
    return known.plain_axis if known else characteristic_name(name)


def family_name(family: str | None) -> str:
    """Name of a distribution or copula family as prose writes it."""
    return "" if family is None else FAMILIES.get(family, family.replace("_", " "))


def escape_math(text: object) -> str:
    """Keep matplotlib from reading a dollar sign of foreign text as mathematics."""
    return str(text).replace("$", r"\$")


def label_colours(labels: ArrayLike) -> NDArray[np.float64]:
    """Colour each label at random, yet always the same one for the same label.

    Parameters
    ----------
    labels : array_like of int, any shape
        Grain labels; 0 is transparent.

    Returns
    -------
    ndarray of float64, shape (*labels.shape, 4)
        Red, green, blue and opacity in [0, 1].

    Notes
    -----
    Hue, saturation and value are hashed from the label alone (splitmix64), so that a grain
    keeps its colour in every slice, figure and run. Hundreds of colours cannot all be told
    apart; figures draw the outline of each grain as well.

    Examples
    --------
    >>> colours = label_colours([0, 7, 7])
    >>> colours.shape, float(colours[0, 3]), bool((colours[1] == colours[2]).all())
    ((3, 4), 0.0, True)
    """
    from matplotlib.colors import hsv_to_rgb

    found, inverse = np.unique(np.asarray(labels), return_inverse=True)
    mixed = found.astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    parts = np.stack([(mixed >> np.uint64(16 * k)) & np.uint64(0xFFFF) for k in range(3)], -1)
    unit = parts / 65535.0
    hsv = np.stack([unit[:, 0], 0.35 + 0.45 * unit[:, 1], 0.7 + 0.28 * unit[:, 2]], axis=-1)
    rgba = np.concatenate([hsv_to_rgb(hsv), np.ones((len(found), 1))], axis=1)
    rgba[found == 0] = 0.0
    coloured: NDArray[np.float64] = rgba[inverse.reshape(np.shape(labels))]
    return coloured


def outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour has another label.

    Examples
    --------
    >>> outlines(np.array([[1, 1, 2]])).tolist()
    [[False, True, False]]
    """
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def letter_panels(panels: Iterable[Axes]) -> None:
    """Put a letter before the title of each panel, both flush left."""
    for letter, axes in zip("abcdefghijklmnop", panels, strict=False):
        title = axes.get_title()
        axes.set_title("")
        axes.set_title(rf"$\mathbf{{{letter}}}$  {title}".rstrip(), loc="left")


def grey_range(image: NDArray[Any]) -> tuple[float, float]:
    """Range of grey values without the darkest and brightest half per cent."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def show_section(
    axes: Axes,
    image: NDArray[Any],
    spacing: tuple[float, float],
    names: tuple[str, str] = ("y", "x"),
    **options: Any,
) -> Any:
    """Show a section in micrometres, first axis downwards.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    image : ndarray, shape (rows, columns) or (rows, columns, 3 or 4)
        Section of a volume.
    spacing : (float, float)
        Size of a pixel along rows and columns in nm.
    names : (str, str)
        Symbols of the axes along rows and columns.
    **options
        Passed on to `Axes.imshow`.

    Returns
    -------
    AxesImage
        What was drawn.
    """
    height, width = (n * step / NM_PER_UM for n, step in zip(image.shape[:2], spacing, strict=True))
    shown = axes.imshow(image, extent=(0, width, height, 0), aspect="equal", **options)
    axes.set_xlabel(rf"${names[1]}$ / $\mathrm{{\mu m}}$")
    axes.set_ylabel(rf"${names[0]}$ / $\mathrm{{\mu m}}$")
    for spine in axes.spines.values():
        spine.set_visible(True)
    return shown
