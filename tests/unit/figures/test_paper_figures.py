import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rcParams
from matplotlib.figure import Figure
from scipy import stats

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.figures import (
    CHARACTERISTICS,
    annotated_slice,
    bivariate_densities,
    depth_curve,
    descriptor_illustration,
    drift_plot,
    label_colours,
    learning_curves,
    marginal_histograms,
    network_architecture,
    predicted_slice,
    segmentation_slice,
    stack_alignment,
    truth_comparison,
    validation_plot,
)
from electrode_grains.figures.distributions import MAXIMUM_BINS, bin_edges

SPACING = (70.0, 50.0, 40.0)
SHAPE = (6, 10, 12)


@pytest.fixture
def volume():
    return np.random.default_rng(4).random(SHAPE)


@pytest.fixture
def probability():
    raw = np.random.default_rng(5).random((3, *SHAPE))
    return raw / raw.sum(axis=0)


def drawn(figure):
    figure.savefig("/dev/null", format="png", dpi=40)
    return figure


def test_every_volume_figure_can_be_drawn(volume, probability):
    annotation = np.random.default_rng(6).integers(0, 4, SHAPE)
    labels = np.random.default_rng(7).integers(0, 9, SHAPE)
    for figure in (
        stack_alignment(volume, volume, SPACING),
        annotated_slice(volume, annotation, probability, 2, SPACING),
        predicted_slice(volume, probability, 5, SPACING),
        segmentation_slice(volume, labels, labels, 0, SPACING),
        segmentation_slice(volume, None, labels, 0, SPACING),
    ):
        assert isinstance(drawn(figure), Figure)


def test_sections_keep_the_proportions_of_anisotropic_voxels(volume, probability):
    figure = predicted_slice(volume, probability, 0, SPACING)

    assert figure.axes[0].images[0].get_extent() == pytest.approx([0, 12 * 0.04, 10 * 0.05, 0])


def test_sections_across_slices_use_the_slice_spacing(volume):
    across_x = stack_alignment(volume, volume, SPACING).axes[4]

    assert across_x.images[0].get_extent() == pytest.approx([0, 10 * 0.05, 6 * 0.07, 0])


def test_quality_that_is_not_a_number_is_drawn(volume):
    volume[:, 0] = np.nan

    drawn(stack_alignment(volume, np.full(SHAPE, np.nan), SPACING))


def test_a_slice_beyond_the_stack_is_refused(volume, probability):
    with pytest.raises(InputError, match="slice 6"):
        predicted_slice(volume, probability, 6, SPACING)


def test_a_volume_of_another_window_is_refused(volume, probability):
    with pytest.raises(InputError, match=r"\(5, 10, 12\)"):
        segmentation_slice(volume, None, np.ones((5, 10, 12), dtype=int), 0, SPACING)
    with pytest.raises(InputError, match=r"\(2, 6, 10, 12\)"):
        predicted_slice(volume, probability[:2], 0, SPACING)


def test_a_figure_leaves_the_style_of_the_session_alone(volume):
    before = rcParams["font.size"], rcParams["axes.spines.top"]

    stack_alignment(volume, volume, SPACING)

    assert (rcParams["font.size"], rcParams["axes.spines.top"]) == before


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30), st.integers(1, 2**40))
def test_a_label_keeps_its_colour_in_any_company(others, label):
    alone = label_colours([label])[0]

    assert label_colours([*others, label])[-1] == pytest.approx(alone)


def test_neighbouring_labels_get_colours_that_differ():
    colours = label_colours(np.arange(1, 400))[:, :3]

    assert len(np.unique((colours * 255).round(), axis=0)) > 390


def test_widths_double_with_every_pooling():
    texts = {
        text.get_text()
        for text in network_architecture({"base_width": 8, "depth": 3}).axes[0].texts
    }

    assert {"8, 8", "16, 16", "32, 32", "64, 64"} <= texts


def test_given_widths_are_drawn_as_they_are():
    figure = network_architecture({"in_channels": 2, "widths": [5, 7], "norm": "group"})

    assert {"5, 5", "7, 7"} <= {text.get_text() for text in figure.axes[0].texts}
    drawn(figure)


def test_a_network_without_widths_is_refused():
    with pytest.raises(SettingsError, match="in_channels"):
        network_architecture({"in_channels": 1})


def test_paper_bin_widths():
    widths = [known.bin_width for known in CHARACTERISTICS.values()]

    assert widths == [36.0, 0.01, 0.015, 0.014, 0.21, 0.1]


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=50),
    st.sampled_from([0.01, 0.015, 0.1]),
)
def test_bins_cover_the_sample_with_one_width(values, width):
    sample = np.array(values)
    edges = bin_edges(sample, width, (0.0, np.inf))

    assert np.histogram(sample, edges)[0].sum() == sample.size
    assert np.diff(edges)[:-1] == pytest.approx(width)


def test_an_outlier_does_not_ask_for_a_million_bins():
    edges = bin_edges(np.array([1.0, 1e8]), 36.0, (0.0, np.inf))

    assert len(edges) <= MAXIMUM_BINS + 2


def test_histograms_have_unit_area_and_skip_missing_values():
    sample = pd.DataFrame({"sphericity": [0.8, np.nan, 0.82, 0.9, None]})
    axes = marginal_histograms(sample).axes[0]

    area = sum(bar.get_width() * bar.get_height() for bar in axes.patches)
    assert area == pytest.approx(1.0)
    assert "= 3" in axes.texts[0].get_text()


def test_a_model_and_its_values_give_the_same_curve():
    model = stats.beta(40.1, 7.2)
    sample = pd.DataFrame({"sphericity": [0.7, 0.8, 0.9]})
    by_model = marginal_histograms(sample, {"sphericity": model}).axes[0].lines[0]

    assert by_model.get_ydata() == pytest.approx(model.pdf(by_model.get_xdata()))


def test_six_panels_in_the_order_of_the_paper():
    sample = pd.DataFrame({name: [0.5, 0.6] for name in reversed(list(CHARACTERISTICS))})
    labels = [axes.get_xlabel() for axes in marginal_histograms(sample).axes]

    assert labels == [known.axis for known in CHARACTERISTICS.values()]


def test_a_sample_of_nothing_known_is_refused():
    with pytest.raises(InputError, match="crack"):
        marginal_histograms(pd.DataFrame({"crack": [1.0]}))


def test_an_unbounded_density_is_drawn():
    density = np.ones((20, 30))
    density[0, 0], density[-1, -1] = np.inf, 1e9
    panel = {
        "x_name": "sphericity",
        "y_name": "convexity",
        "x_grid": np.linspace(0, 1, 30),
        "y_grid": np.linspace(0, 1, 20),
        "density": density,
        "x_sample": [0.5, np.nan],
        "y_sample": [0.4, 0.3],
    }

    drawn(bivariate_densities([panel] * 4))


def test_a_transposed_density_is_refused():
    panel = {"x_name": "a", "y_name": "b", "x_grid": [0, 1, 2], "y_grid": [0, 1],
             "density": np.ones((3, 2))}  # fmt: skip
    with pytest.raises(InputError, match=r"\(2, 3\)"):
        bivariate_densities([panel])


def test_a_pair_without_fit_shows_its_grains():
    panel = {"x_name": "sphericity", "y_name": "convexity", "density": None,
             "x_sample": [0.5], "y_sample": [0.4]}  # fmt: skip

    assert len(bivariate_densities([panel]).axes[0].collections) == 1


def test_the_illustrated_ball_has_the_volume_of_the_grain():
    z, y, x = np.indices((21, 31, 31)) - np.array([10, 15, 15])[:, None, None, None]
    grain = (x / 12) ** 2 + (y / 8) ** 2 + (z / 6) ** 2 <= 1
    circle = descriptor_illustration(grain, (50.0, 50.0, 50.0)).axes[0].lines[1]
    radius = np.hypot(*circle.get_data())

    expected = (3 * grain.sum() * 0.05**3 / (4 * np.pi)) ** (1 / 3)
    assert radius == pytest.approx(expected)


def test_a_flat_or_tiny_grain_cannot_be_illustrated():
    with pytest.raises(InputError, match="1 voxels"):
        descriptor_illustration(np.ones((1, 1, 1)), SPACING)
    with pytest.raises(InputError, match="plane"):
        descriptor_illustration(np.ones((1, 5, 5)), SPACING)


def test_learning_curves_part_losses_from_scores():
    history = pd.DataFrame({"epoch": [0, 1], "loss": [2.0, 1.0], "dice": [0.1, None]})

    assert [axes.get_ylabel() for axes in drawn(learning_curves(history)).axes] == [
        "loss / nat per annotated voxel",
        "score",
    ]


def test_a_history_without_numbers_is_refused():
    with pytest.raises(InputError, match="note"):
        learning_curves(pd.DataFrame({"note": ["a"]}))


def test_drift_marks_flagged_slices_and_bears_gaps():
    transforms = {
        "shift_x": [0.0, None, 1.0],
        "shift_y": [0.0, 1.0, 1.0],
        "rotation": [0.0, 0.1, None],
        "flags": [[], ["could not be registered"], []],
    }
    upper = drawn(drift_plot(transforms)).axes[0]

    assert "flagged slice" in upper.get_legend_handles_labels()[1]


@pytest.mark.parametrize("missing", ["shift_x", "shift_y", "rotation"])
def test_drift_needs_all_three_lists(missing):
    transforms = {"shift_x": [0.0], "shift_y": [0.0], "rotation": [0.0]}
    del transforms[missing]
    with pytest.raises(InputError, match=f"lack {missing}"):
        drift_plot(transforms)


def test_depth_curve_and_truth_refuse_other_tables():
    with pytest.raises(InputError, match="0 rows"):
        depth_curve(pd.DataFrame({"minima_depth": [], "grain_count": []}))
    with pytest.raises(InputError, match="mean"):
        truth_comparison(pd.DataFrame({"mean": [1.0]}))


def test_truth_bears_repeated_indices_and_missing_spread():
    one = pd.DataFrame({"characteristic": ["sphericity", "convexity"], "count": [5, 5],
                        "mean": [0.8, np.nan], "std": [np.nan, 0.1]})  # fmt: skip
    both = pd.concat([one.assign(source="segmented"), one.assign(source="a$quired")])

    drawn(truth_comparison(both))


def test_a_validation_without_slices_says_so():
    assert "no slice was left out" in drawn(validation_plot({})).texts[0].get_text()
