"""What voxels do to descriptors: bias and spread of digitised bodies.

Run with `python -m benchmarks.voxelization`; takes about a minute. Prints the table that
`electrode_grains.morphometry.resolution` holds and draws docs/images/voxelization.png.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.special import elliprg

from electrode_grains.figures.style import CYCLE, DOUBLE_COLUMN, new_figure, styled
from electrode_grains.morphometry import characterize_grains
from electrode_grains.morphometry.radial_position import axis_angles, directions
from electrode_grains.phantom import ellipsoid

DIAMETERS = (2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)  # in voxels
REPETITIONS = 200
SEED = 7
UNIT = (1.0, 1.0, 1.0)
PICTURE = Path("docs/images/voxelization.png")
SHOWN = {
    "equivalent_diameter_nm": "diameter, relative error",
    "surface_area_nm2": "surface, relative error",
    "sphericity": "sphericity, error",
    "convexity": "convexity, error",
    "elongation": "elongation, error",
    "axis": "longest axis, angle / rad",
}


@dataclass(frozen=True)
class Body:
    """An ellipsoid, or two balls whose centres are `apart` radii from each other.

    True descriptors are those of the body of unit volume-equivalent diameter.
    """

    ratios: tuple[float, float, float] = (1.0, 1.0, 1.0)
    apart: float = 0.0

    @property
    def half_axes(self) -> NDArray[np.float64]:
        """Half-axes of the ellipsoid, or of either ball."""
        ratios = np.array(self.ratios)
        # Both balls less the lens that they share, over the volume of one.
        volume = 2 - (4 + self.apart) * (2 - self.apart) ** 2 / 16 if self.apart else 1.0
        return ratios / np.cbrt(np.prod(ratios) * volume) / 2

    @property
    def surface(self) -> float:
        """Surface; balls without their caps inside the other."""
        a, b, c = self.half_axes
        one = 4 * np.pi * elliprg((a * b) ** 2, (a * c) ** 2, (b * c) ** 2)
        return float(one * (1 + self.apart / 2) if self.apart else one)

    @property
    def convexity(self) -> float:
        """Volume over that of the convex hull."""
        hull = 4 / 3 * np.pi + np.pi * self.apart  # of unit radius: a cylinder between half balls
        return float(np.pi / 6 / (hull * self.half_axes[0] ** 3))

    @property
    def elongation(self) -> float:
        """Shortest over longest half-axis; not known of two balls."""
        return min(self.ratios) if self.apart == 0 else np.nan

    def digitize(self, shape, center, diameter, turn):
        """Voxels of the body of a given diameter, turned."""
        half_axes = diameter * self.half_axes
        if self.apart == 0:
            return ellipsoid(shape, center, half_axes, rotation=turn)
        arm = turn[:, 0] * half_axes[0] * self.apart / 2
        one, other = (ellipsoid(shape, center + side * arm, half_axes) for side in (-1, 1))
        return one | other

    def reach(self, diameter: float) -> float:
        """Farthest point from the centre."""
        return diameter * max(self.half_axes) * (1 + self.apart / 2)


def measure_bodies(diameter: float, body: Body, rng: np.random.Generator) -> pd.DataFrame:
    """Errors of the descriptors of one body at random positions and orientations."""
    size = int(np.ceil(2 * body.reach(diameter))) + 4
    labels = np.zeros((size * REPETITIONS, size, size), np.int32)
    turns = Rotation.random(REPETITIONS, rng=rng).as_matrix()
    for place, turn in enumerate(turns):
        middle = (size - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
        inside = body.digitize((size,) * 3, middle, diameter, turn)
        labels[place * size : (place + 1) * size][inside] = place + 1
    table = characterize_grains(labels, UNIT)
    # Columns of a rotation are the turned axes; the longest is the first, (z, y, x).
    longest = turns[table["label"] - 1][:, ::-1, 0]
    measured = directions(table["azimuthal_angle"].to_numpy(), table["polar_angle"].to_numpy())
    is_round = body.apart == 0 and len(set(body.ratios)) == 1
    return pd.DataFrame(
        {
            "equivalent_diameter_nm": table["equivalent_diameter_nm"] / diameter - 1,
            "surface_area_nm2": table["surface_area_nm2"] / (body.surface * diameter**2) - 1,
            "sphericity": table["sphericity"] - np.pi / body.surface,
            "convexity": table["convexity"] - (body.convexity if body.apart else 1.0),
            "elongation": table["elongation"] - body.elongation,
            "axis": np.nan if is_round else axis_angles(measured, longest),
        }
    )


BODIES = {
    "ball": Body(),
    "e = 0.7": Body((1.0, 0.85, 0.7)),
    "e = 0.4": Body((1.0, 0.6, 0.4)),
    "two balls": Body(apart=1.5),
}


def measure_all(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for name_of_body, body in BODIES.items():
        for diameter in DIAMETERS:
            errors = measure_bodies(diameter, body, rng)
            for name in errors:
                known = errors[name].dropna()
                rows.append(
                    {
                        "body": name_of_body,
                        "diameter_voxels": diameter,
                        "descriptor": name,
                        "bias": known.mean(),
                        "spread": known.std(),
                        "count": len(known),
                    }
                )
    return pd.DataFrame(rows)


@styled
def draw(curves: pd.DataFrame) -> Figure:
    figure = new_figure(DOUBLE_COLUMN, 4.6)
    for axes, (name, title) in zip(figure.subplots(2, 3).ravel(), SHOWN.items(), strict=True):
        chosen = curves[(curves["descriptor"] == name) & curves["bias"].notna()]
        for colour, body in zip(CYCLE, BODIES, strict=False):
            part = chosen[chosen["body"] == body]
            d, bias, spread = part[["diameter_voxels", "bias", "spread"]].to_numpy().T
            axes.fill_between(d, bias - spread, bias + spread, color=colour, alpha=0.2, lw=0)
            axes.plot(d, bias, color=colour, marker="o", markersize=2, label=body)
        axes.axhline(0, color="black", lw=0.5)
        axes.set_xscale("log", base=2)
        axes.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
        axes.set_title(title)
        axes.set_xlabel("diameter / voxels")
    figure.axes[1].legend(loc="lower right")
    return figure


def print_table(curves: pd.DataFrame) -> None:
    """Print bias and spread over all bodies as the package holds them."""
    print("DIAMETERS = (" + ", ".join(f"{d:g}" for d in DIAMETERS) + ")")
    for name in SHOWN:
        part = curves[(curves["descriptor"] == name) & (curves["count"] > 0)]
        grouped = part.groupby("diameter_voxels")
        bias = grouped["bias"].mean()
        # Spread within bodies, and of the bias between them.
        spread = np.sqrt(
            grouped["spread"].apply(lambda s: (s**2).mean()) + grouped["bias"].var(ddof=0)
        )
        for label, values in (("bias", bias), ("spread", spread)):
            print(f"{name} {label}: (" + ", ".join(f"{v:.4g}" for v in values) + ")")


def main() -> None:
    curves = measure_all(np.random.default_rng(SEED))
    print_table(curves)
    draw(curves).savefig(PICTURE, dpi=160)


if __name__ == "__main__":
    main()
