"""Figures compared with pictures in the folder images.

`pytest --mpl-generate-path=tests/unit/figures/images tests/unit/figures/test_figure_images.py`
renews them: look at each before it is committed.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from electrode_grains.figures import (
    annotated_slice,
    bivariate_densities,
    depth_curve,
    derived_histogram,
    descriptor_illustration,
    drift_plot,
    learning_curves,
    marginal_histograms,
    network_architecture,
    predicted_slice,
    probability_plots,
    segmentation_slice,
    slice_maps,
    stack_alignment,
    truth_comparison,
    validation_plot,
)

SPACING = (70.0, 50.0, 40.0)
# Root mean square of a pixel's difference (0 to 255): other versions of the font library move
# edges of letters by less; a missing curve, panel or colour is far above.
pictured = pytest.mark.mpl_image_compare(
    baseline_dir="images", tolerance=6, savefig_kwargs={"dpi": 45}, style="default"
)


def mosaic(shape=(8, 24, 30), count=14):
    """Cells of nearest seeds with a background around them."""
    rng = np.random.default_rng(3)
    seeds = rng.random((count, 3)) * shape
    place = np.moveaxis(np.indices(shape), 0, -1)[..., None, :]
    labels = ((place - seeds) ** 2).sum(axis=-1).argmin(axis=-1) + 1
    labels[:, :3], labels[:, -3:] = 0, 0
    return labels


LABELS = mosaic()
EDGES = np.zeros(LABELS.shape, bool)
EDGES[:, :, 1:] |= LABELS[:, :, 1:] != LABELS[:, :, :-1]
EDGES[:, 1:] |= LABELS[:, 1:] != LABELS[:, :-1]
QUALITY = np.where(LABELS == 0, 0.1, np.where(EDGES, 0.4, 0.8 + 0.01 * LABELS))
PROBABILITY = np.stack([EDGES, ~EDGES & (LABELS > 0), LABELS == 0]) * 0.8 + 0.2 / 3
ANNOTATION = np.where(LABELS == 0, 3, np.where(EDGES, 1, 2))
SAMPLE = pd.DataFrame(
    {
        "equivalent_diameter_nm": stats.lognorm(0.3, scale=500).ppf(np.linspace(0.01, 0.99, 60)),
        "sphericity": stats.beta(30, 6).ppf(np.linspace(0.01, 0.99, 60)),
    }
)


class Beta:
    """The fitted family of the sphericity."""

    law = stats.beta(30, 6)

    def pdf(self, x):
        return self.law.pdf(x)

    def cdf(self, x):
        return self.law.cdf(x)

    def quantile(self, p):
        return self.law.ppf(p)


@pictured
def test_the_stack_before_and_after_alignment():
    moved = np.stack([np.roll(plane, shift, 1) for shift, plane in enumerate(QUALITY)])
    return stack_alignment(moved, QUALITY, SPACING)


@pictured
def test_maps_of_a_slice():
    colours = np.stack([QUALITY[2], 1 - QUALITY[2], QUALITY[2] / 2], axis=-1)
    return slice_maps(QUALITY[2], QUALITY[3], colours, colours[:, ::-1], SPACING)


@pictured
def test_an_annotated_slice():
    return annotated_slice(QUALITY, ANNOTATION, PROBABILITY, 2, SPACING)


@pictured
def test_a_predicted_slice():
    return predicted_slice(QUALITY, PROBABILITY, 5, SPACING)


@pictured
def test_a_segmented_slice():
    return segmentation_slice(QUALITY, LABELS, np.where(LABELS == 4, 0, LABELS), 4, SPACING)


@pictured
def test_the_network():
    return network_architecture({"in_channels": 1, "base_width": 16, "depth": 2})


@pictured
def test_the_training():
    epochs = np.arange(20)
    return learning_curves(
        pd.DataFrame({"epoch": epochs, "loss": 0.1 + 1 / (1 + epochs), "dice": epochs / 25})
    )


@pictured
def test_the_validation():
    rows = [{"slice": z, "boundary_f1": f1} for z, f1 in ((14, 0.8), (25, 0.85), (38, 0.78))]
    steps = np.linspace(0.05, 0.95, 10)
    reliability = {"predicted": steps, "observed": steps**1.2, "count": [50] * 10}
    return validation_plot(
        {"slices": rows, "mean": {"boundary_f1": 0.81}, "reliability": reliability}
    )


@pictured
def test_the_drift():
    slices = np.arange(12.0)
    return drift_plot(
        {
            "shift_x": np.sin(slices).tolist(),
            "shift_y": [None, *np.cos(slices[1:])],
            "rotation": (0.1 * np.cos(slices)).tolist(),
            "flags": [["could not be registered"] if z == 4 else [] for z in range(12)],
        }
    )


@pictured
def test_depths_of_minima():
    depths = np.array([0.001, 0.01, 0.1])
    table = {"minima_depth": depths, "grain_count": [90, 60, 20], "boundary_f1": [0.7, 0.9, 0.6]}
    return depth_curve(pd.DataFrame(table), 0.01)


@pictured
def test_the_descriptors_of_a_grain():
    z, y, x = np.indices((13, 19, 25)) - np.array([6, 9, 12])[:, None, None, None]
    grain = (x / 11) ** 2 + ((y - x / 3) / 5) ** 2 + (z / 4) ** 2 <= 1
    return descriptor_illustration(grain, SPACING, {"elongation": 0.41, "polar_angle": 1.2})


@pictured
def test_measured_and_true_means():
    names = ["equivalent_diameter_nm", "sphericity"]
    rows = [
        {"characteristic": name, "source": source, "mean": mean, "std": mean / 8, "count": 90}
        for name, means in zip(names, ((500, 510), (0.82, 0.8)), strict=True)
        for source, mean in zip(("segmented", "acquired"), means, strict=True)
    ]
    return truth_comparison(pd.DataFrame(rows))


@pictured
def test_histograms_with_their_families():
    return marginal_histograms(SAMPLE, {"sphericity": Beta()}, {"sphericity": "beta"})


@pictured
def test_quantiles_and_probabilities():
    return probability_plots(SAMPLE, {"sphericity": Beta()}, {"sphericity": "beta"})


@pictured
def test_densities_of_a_pair():
    grid = np.linspace(0.5, 1, 40)
    density = np.outer(stats.norm(0.8, 0.05).pdf(grid), stats.norm(0.7, 0.08).pdf(grid))
    panel = {
        "x_name": "sphericity", "y_name": "convexity", "x_grid": grid, "y_grid": grid,
        "density": density, "levels": {0.5: 15.0, 0.9: 4.0}, "family": "bb1", "rotation": 180,
        "x_sample": [0.6, 0.7, 0.75], "y_sample": [0.7, 0.8, 0.9],
    }  # fmt: skip
    return bivariate_densities([panel])


@pictured
def test_a_derived_quantity():
    values = 6 / (SAMPLE["equivalent_diameter_nm"] * 1e-3 * SAMPLE["sphericity"])
    grid = np.linspace(5, 40, 50)
    return derived_histogram(
        values.to_numpy(), (grid, stats.lognorm(0.3, scale=14).pdf(grid)), "6/(d s)", "frank"
    )
