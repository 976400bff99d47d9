"""What single nodes decide."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from pydantic import ValidationError

from electrode_grains.boundary import AnnotationSplit
from electrode_grains.ebsd import ScanIndex
from electrode_grains.ebsd.orientations import multiply
from electrode_grains.ebsd.pseudo_cube import PseudoSymmetry, variants
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import SegmentationChoice, SegmentationLog
from electrode_grains.morphometry import ParticleSummary
from electrode_grains.morphometry.orientations import without_c_axes
from electrode_grains.phantom.annotation import annotate
from electrode_grains.pipelines.boundary_model.nodes import build_contrast, split_annotations
from electrode_grains.pipelines.boundary_model.settings import (
    ContrastSettings,
    SplitSettings,
    TrainingSettings,
)
from electrode_grains.pipelines.characterization.nodes import (
    compare_with_truth,
    measure_grains,
    measure_particle,
)
from electrode_grains.pipelines.characterization.settings import MeasureSettings
from electrode_grains.pipelines.modelling.nodes import (
    compare_particles,
    correlated_pairs,
    families_above_the_cut,
    select_grains,
)
from electrode_grains.pipelines.modelling.settings import (
    ComparisonSettings,
    PairSettings,
    SampleSettings,
)
from electrode_grains.pipelines.preprocessing.nodes import ORIENTATION_CHANNELS
from electrode_grains.pipelines.reporting.nodes import (
    collect_warnings,
    farthest_slice,
    undecided_grains,
    unresolved_grains,
)
from electrode_grains.pipelines.segmentation.nodes import (
    choose_settings,
    find_basins,
    separate_voids,
)
from electrode_grains.pipelines.segmentation.pipeline import create_pipeline
from electrode_grains.pipelines.segmentation.settings import (
    BoundaryCandidates,
    DepthCandidates,
    ExecutorSettings,
    SegmentationSettings,
    VoidSettings,
)
from electrode_grains.runs.recipes import RecipeBuilder
from electrode_grains.volumes import as_volume

SPACING = (50.0, 50.0, 50.0)


@pytest.fixture
def annotations():
    volume = np.zeros((60, 4, 4), np.uint8)
    volume[[14, 25, 38, 49]] = 2
    return as_volume(volume, SPACING, "annotation_volume")


@pytest.fixture
def labels():
    """A grain inside the window, one that its border cuts, and a single voxel."""
    volume = np.zeros((8, 8, 8), np.int32)
    volume[2:6, 2:6, 2:6] = 3
    volume[2:6, 2:6, 6:] = 5
    volume[1, 1, 1] = 9
    return as_volume(volume, SPACING, "grain_label_volume")


def test_a_slice_between_others_judges_the_network(annotations):
    split = split_annotations(annotations, SplitSettings(held_out_count=1))
    assert split == AnnotationSplit(train=(14, 38, 49), held_out=(25,))


def test_slices_to_judge_by_can_be_named(annotations):
    split = split_annotations(annotations, SplitSettings(held_out_slices=(14, 49)))
    assert split == AnnotationSplit(train=(25, 38), held_out=(14, 49))


def test_one_annotated_slice_trains_and_none_judges(annotations):
    only = annotations.copy()
    only[{"z": [14, 38, 49]}] = 0
    split = split_annotations(only, SplitSettings(held_out_count=1))
    assert split == AnnotationSplit(train=(25,))


@pytest.mark.parametrize(
    ("held_out", "told"), [((3,), r"\[3\]"), ((14, 25, 38, 49), "no annotated slice is left")]
)
def test_impossible_splits_are_refused(annotations, held_out, told):
    with pytest.raises(SettingsError, match=told):
        split_annotations(annotations, SplitSettings(held_out_slices=held_out))


def test_grains_cut_by_the_window_and_specks_are_left_out_of_fits(labels):
    table = measure_grains(labels)
    strict = select_grains(table, SampleSettings(minimum_voxels=8, include_window_grains=False))
    assert strict["label"].tolist() == [3]
    loose = select_grains(table, SampleSettings(minimum_voxels=1, include_window_grains=True))
    assert loose["label"].tolist() == [3, 5, 9]


def test_fits_can_take_a_sample_without_the_bias_of_the_window():
    volume = np.zeros((40, 40, 40), np.int32)
    for place, (edge, first) in enumerate([(4, 2), (4, 8), (4, 14), (18, 20)], start=1):
        volume[first : first + edge, first : first + edge, first : first + edge] = place
    table = measure_grains(as_volume(volume, SPACING, "grain_label_volume"))
    kept = pd.concat(
        select_grains(
            table,
            SampleSettings(
                minimum_voxels=1, include_window_grains=False, correct_edge_bias=True, seed=seed
            ),
        )
        for seed in range(100)
    )["label"]
    counts = kept.value_counts()
    assert counts[4] == 100  # the largest weight is always chosen
    chance = ((39 - 18) / (39 - 4)) ** 3
    assert counts[[1, 2, 3]].sum() == pytest.approx(300 * chance, abs=3 * np.sqrt(300 * 0.2))


def test_a_particle_is_measured_with_its_lattice_and_image_quality(labels):
    orientations = np.zeros((5, *labels.shape), np.float32)
    orientations[[0, 4]] = 1
    measure = MeasureSettings(
        laue_group="-3m", low_angle_degrees=15, center_nm=None, resolution_correction=True
    )
    quality = labels.astype(np.float32) * 2
    grains, contacts, particle = measure_particle(
        labels, quality, xr.DataArray(orientations), None, measure
    )
    assert grains["mean_image_quality"].tolist() == [6, 10, 18]
    assert grains["orientation_w"].tolist() == [1, 1, 1]
    assert "sphericity_corrected" in grains
    assert contacts["misorientation_angle"].dropna().tolist() == pytest.approx([0] * 2, abs=1e-6)
    assert particle.low_angle_share == 1
    assert set(particle.resolution_limits_nm) == {"sphericity", "convexity", "elongation"}

    unknown = xr.DataArray(np.full_like(orientations, np.nan))
    grains, contacts, particle = measure_particle(labels, quality, unknown, None, measure)
    assert "orientation_w" not in grains
    assert "low_angle_share" not in particle.to_dict()


def test_a_grain_whose_c_axis_is_undecided_has_no_c_axis_angle(labels):
    orientations = np.zeros((5, *labels.shape), np.float32)
    orientations[[0, 4]] = 1
    votes = pd.DataFrame(
        {"label": [3, 5, 9], "flipped_share": [0.0, 0.5, 0.1], "decided": [True, False, True]}
    )
    measure = MeasureSettings(
        laue_group="-3m", low_angle_degrees=15, center_nm=None, resolution_correction=False
    )
    field = xr.DataArray(orientations)
    voted, *_ = measure_particle(labels, None, field, votes, measure)
    plain, *_ = measure_particle(labels, None, field, None, measure)
    assert plain["c_axis_radial_angle"].notna().all()
    assert voted["c_axis_radial_angle"].isna().tolist() == [False, True, False]
    assert "undecided" in voted["orientation_reason"][1]
    assert voted.drop(columns=["c_axis_radial_angle", "orientation_reason"]).equals(
        plain.drop(columns=["c_axis_radial_angle", "orientation_reason"])
    )


def test_the_report_says_which_grains_are_too_small_for_a_shape(labels):
    table = measure_grains(labels)
    limits = {"sphericity": 100.0, "convexity": None}
    told = unresolved_grains(
        table, ParticleSummary(0, 0, 0, 0, 3, 2, 0, resolution_limits_nm=limits)
    )
    assert len(told) == 1
    assert "smaller than 100 nm" in told[0]
    assert told[0].endswith("1 of 2 whole grains")


def test_the_report_names_grains_without_a_certain_c_axis(labels):
    table = measure_grains(labels)
    assert undecided_grains(table) == []  # without orientations nothing is asked
    angles = np.zeros(len(table))
    known = table.assign(c_axis_radial_angle=angles, orientation_reason="")
    assert undecided_grains(known) == []
    (told,) = undecided_grains(without_c_axes(known, [5, 9]))
    assert told.startswith("Without a certain c axis")
    assert told.endswith("2 of 3 grains (5, 9)")


def test_only_correlated_pairs_are_modelled_and_the_angles_always():
    rng = np.random.default_rng(0)
    first = rng.normal(size=500)
    table = pd.DataFrame(
        {
            "equivalent_diameter_nm": first,
            "sphericity": -first + rng.normal(size=500),
            "convexity": np.tile([0.0, 1.0, 1.0, 0.0], 125),
            "elongation": np.tile([0.0, 1.0], 250),
        }
    )
    settings = PairSettings(
        characteristics=tuple(table),
        minimum_correlation=0.3,
        always=(("polar_angle", "azimuthal_angle"), ("equivalent_diameter_nm", "sphericity")),
        families=("frank",),
        rotations=(0,),
        ties="mean",
    )
    assert correlated_pairs(table, settings) == [
        ("equivalent_diameter_nm", "sphericity"),
        ("polar_angle", "azimuthal_angle"),
    ]


def test_without_truth_the_comparison_holds_the_segmentation_alone(labels):
    compared = compare_with_truth(measure_grains(labels), None, None, {}, None)
    assert set(compared["source"]) == {"segmented"}
    row = compared.set_index("characteristic").loc["equivalent_diameter_nm"]
    assert row["count"] == 2  # the single voxel lies inside the window too
    assert row["mean"] == pytest.approx(np.cbrt(6 / np.pi * 50**3 * np.array([64, 1])).mean())


def test_the_slice_shown_is_the_one_farthest_from_annotations():
    assert farthest_slice([14, 25, 38, 49], 64) in (31, 32)
    assert farthest_slice([5], 64) == 5
    assert farthest_slice([], 64) == 32


def test_a_step_that_did_not_run_has_no_warnings():
    assert collect_warnings({}) == []


def test_warnings_of_all_steps_are_collected():
    told = collect_warnings(
        {
            "scan_index": {
                "slices": ["S00", "S01"],
                "notes": ["S00 and 1 more slice: the header says 160 x 140"],
            },
            "slice_transforms": {
                "flags": [[], ["matches no earlier slice"]],
                "notes": ["a slow rotation of 3.8 degrees"],
            },
            "annotation_checks": {"slices": [{"doubt": None}, {"doubt": "check slice_numbers"}]},
            "segmentation_log": {"doubts": ["the particle is a single grain"]},
            "copula_fits": {
                "pairs": [
                    {
                        "x": "sphericity",
                        "y": "convexity",
                        "best": {"family": "bb1"},
                        "goodness_of_fit": {"p_value": 0.01, "replicates": 99},
                    }
                ]
            },
            "marginal_fits": {
                "characteristics": {
                    "sphericity": {
                        "excluded_count": 2,
                        "excluded_reason": "not inside the support (0, 1)",
                        "excluded_labels": [4, 8],
                        "best": "beta",
                        "goodness_of_fit": {
                            "p_values": {"anderson_darling": 0.2, "kolmogorov_smirnov": 0.03}
                        },
                    }
                }
            },
        }
    )
    assert len(told) == 8
    assert "S00" in told[0]
    assert "slice S01" in told[1]
    assert "slow rotation" in told[2]
    assert told[3] == "check slice_numbers"
    assert "single grain" in told[4]
    assert "[4, 8]" in told[5]
    assert "the best, beta, is rejected (Kolmogorov-Smirnov, p = 0.03)" in told[6]
    assert told[7] == (
        "No candidate fits sphericity and convexity well: the best, BB1 (Clayton-Gumbel), "
        "is rejected (Rosenblatt, p ≤ 0.01)"
    )


def test_distributions_of_the_diameter_begin_where_the_sample_was_cut(labels):
    table = measure_grains(labels)
    support = families_above_the_cut("equivalent_diameter_nm", table, 8)[1]
    assert support == (pytest.approx(np.cbrt(6 / np.pi * 50**3 * 7.5)), np.inf)
    assert families_above_the_cut("sphericity", table, 8)[1] == (0.0, 1.0)


def particles(shifts):
    """Grain tables that differ in elongation, as a folder of them is read."""
    tables = {}
    for seed, (name, shift) in enumerate(shifts.items()):
        rng = np.random.default_rng(seed)
        tables[name] = pd.DataFrame(
            {
                "voxel_count": 100,
                "touches_window": False,
                "sphericity": rng.beta(40, 7, 120),
                "elongation": rng.beta(9, 4, 120) ** (1 + shift),
            }
        )
    return {name: lambda table=table: table for name, table in tables.items()}


def compare(shifts):
    return compare_particles(
        particles(shifts),
        SampleSettings(minimum_voxels=8, include_window_grains=False),
        PairSettings(
            characteristics=("sphericity", "elongation"),
            minimum_correlation=0.1,
            always=(),
            families=("frank",),
            rotations=(0,),
            ties="mean",
        ),
        ComparisonSettings(replicates=99, seed=1),
    )


def test_particles_are_compared_two_at_a_time():
    table = compare({"one": 0.0, "two": 1.5, "three": 0.0}).set_index(
        ["first", "second", "subject"]
    )
    assert len(table) == 3 * 3
    assert table.loc[("one", "two", "elongation"), "p_value"] == pytest.approx(0.01)
    assert table.loc[("one", "two", "elongation"), "effect_high"] < 0.5
    assert table.loc[("one", "three", "elongation"), "p_value"] > 0.01


def test_one_particle_cannot_be_compared():
    with pytest.raises(InputError, match="at least two particles"):
        compare({"one": 0.0})


def index_of(flips=False):
    finding = PseudoSymmetry(4.97, 0.05 if flips else 0.0, flips, "")
    return ScanIndex(("s_0",), (), "-3m", 1.0, "", False, None, pseudo_symmetry=finding)


def test_the_network_does_not_see_flips_of_the_c_axis(stack):
    quality, orientations = stack
    settings = ContrastSettings(channels=("misorientation",))
    flipped = orientations.copy(deep=True)
    patch = np.moveaxis(flipped.to_numpy()[:4, :, :2, :3], 0, -1)
    flipped[:4, :, :2, :3] = np.moveaxis(multiply(variants()[1], patch), -1, 0)
    plain, blind = (
        build_contrast(quality, each, index_of(flips=True), settings)
        for each in (orientations, flipped)
    )
    seen = build_contrast(quality, flipped, index_of(flips=False), settings)
    np.testing.assert_allclose(blind, plain, atol=1e-4)
    assert not np.allclose(seen, plain, atol=0.1)


def test_the_network_sees_what_was_asked_for(stack):
    quality, orientations = stack
    settings = ContrastSettings(
        channels=("image_quality", "misorientation", "confidence_index"), laue_group="-3m"
    )
    contrast = build_contrast(quality, orientations, index_of(), settings)
    assert contrast.dims[0] == "channel"
    assert contrast.shape == (3, *quality.shape)
    turned = contrast[1].to_numpy()
    assert (turned[..., 3:5] > 0).all()  # both sides of the boundary between x = 3 and 4
    assert (turned[..., :3] < 0).all()
    np.testing.assert_allclose(contrast[1:].mean(axis=(1, 2, 3)), 0, atol=1e-6)


def test_a_stack_without_orientations_leaves_their_channels_empty(stack, caplog):
    quality, orientations = stack
    settings = ContrastSettings(channels=("image_quality", "misorientation"), laue_group="-3m")
    contrast = build_contrast(quality, orientations * np.nan, index_of(), settings)
    assert not contrast[1].any()
    assert "no slice has a misorientation" in caplog.text


def test_the_network_sees_boundaries_dark_whatever_they_are(caplog):
    rng = np.random.default_rng(1)
    classes = np.full((10, 12, 12), 2, np.uint8)
    classes[:, :, 6] = 1
    dark = xr.DataArray(100 - 30.0 * (classes == 1) + rng.normal(0, 3, classes.shape),
                        dims=("z", "y", "x"), attrs={"spacing_nm": (1.0, 1.0, 1.0)})  # fmt: skip
    channels = xr.DataArray(np.full((5, *dark.shape), np.nan), dims=("c", "z", "y", "x"))
    labels = np.zeros_like(classes)
    labels[[2, 6]] = classes[[2, 6]]
    drawn = dark.copy(data=labels)

    def seen(image, boundaries="auto", drawn=drawn):
        settings = ContrastSettings(channels=("image_quality",), boundaries=boundaries)
        contrast = build_contrast(image, channels, index_of(), settings, drawn)[0].to_numpy()
        return contrast[classes == 1].mean() - contrast[classes == 2].mean()

    with caplog.at_level("INFO"):
        assert seen(dark) < 0
        assert "inverted" not in caplog.text
        assert seen(200 - dark) < 0
        assert "inverted" in caplog.text
    assert seen(200 - dark, "dark") > 0
    assert seen(200 - dark, drawn=None) > 0  # nothing is labelled: as it is
    assert seen(dark, "bright") > 0


@pytest.fixture
def stack():
    """Two grains side by side, turned by 30 degrees, and an image quality of noise."""
    shape = (4, 6, 8)
    quality = np.random.default_rng(2).uniform(50, 100, shape).astype(np.float32)
    orientations = np.zeros((5, *shape), np.float32)
    orientations[0] = 1
    orientations[:4, ..., 4:] = np.array([np.cos(np.pi / 12), np.sin(np.pi / 12), 0, 0])[
        :, None, None, None
    ]
    orientations[4] = np.linspace(0.2, 0.9, shape[2])
    return (
        as_volume(quality, SPACING, "image_quality_volume"),
        as_volume(orientations, SPACING, "orientation_volume", ORIENTATION_CHANNELS),
    )


@pytest.fixture
def hollow_particle():
    """Two grains in a window, with a ball of surroundings in the middle of one of them."""
    z, y, x = np.indices((20, 24, 30))
    labels = np.zeros(z.shape, np.int32)
    labels[2:18, 2:22, 2:28] = 1
    labels[:, :, 20:][labels[:, :, 20:] > 0] = 2
    ball = (z - 10) ** 2 + (y - 12) ** 2 + (x - 10) ** 2 <= 16
    empty = (labels == 0) | ball
    orientations = np.zeros((5, *z.shape), np.float32)
    orientations[0], orientations[4] = 1, np.where(empty, 0.02, 0.7)
    background = (labels == 0).astype(np.float32)
    names = ("boundary", "interior", "background")
    return (
        as_volume(labels, SPACING, "formed_label_volume"),
        SegmentationLog.model_construct(warnings=("an edit was not applied",)),
        as_volume(
            np.stack([0 * background, 1 - background, background]), SPACING, "probability", names
        ),
        as_volume(np.where(empty, 60, 200).astype(np.float32), SPACING, "image_quality_volume"),
        as_volume(orientations, SPACING, "orientation_volume", ORIENTATION_CHANNELS),
    ), ball


GRAINS = SegmentationSettings(minimum_voxels=8)


def test_a_setting_to_be_chosen_is_auto_or_a_number_in_range():
    for wrong in (0.0, 1.0, 7):
        with pytest.raises(ValueError, match=r"(?s)^1 validation error.*minima_depth"):
            SegmentationSettings.model_validate(GRAINS.model_dump() | {"minima_depth": wrong})


def test_voids_leave_the_grains_and_are_measured(hollow_particle):
    volumes, ball = hollow_particle

    grains, voids, table, log = separate_voids(*volumes, GRAINS, VoidSettings())

    assert np.array_equal(voids.to_numpy() > 0, ball)
    assert not grains.to_numpy()[ball].any()
    assert np.array_equal(grains.to_numpy()[~ball], volumes[0].to_numpy()[~ball])
    assert table["voxel_count"].tolist() == [ball.sum()]
    assert log.voids.void_volume_um3 == pytest.approx(ball.sum() * 0.05**3)
    surface = log.voids.void_surface_area_um2
    assert log.voids.added_surface_area_um2 == pytest.approx(surface)
    assert log.warnings[0] == "an edit was not applied"
    assert "(1) holds 68% of the particle, 5503 of 8063" in log.warnings[1]


def test_darkness_without_a_confidence_index_is_no_void(hollow_particle):
    volumes, _ = hollow_particle
    blind = volumes[4].copy(deep=True)
    blind[:] = np.nan

    _, voids, table, log = separate_voids(*volumes[:4], blind, GRAINS, VoidSettings())

    assert not voids.to_numpy().any()
    assert table.empty
    assert log.voids.void_count == 0


@pytest.mark.parametrize("executor", ["threads", "dask"])
def test_basins_do_not_depend_on_who_computes_them(particle_probability, executor, tmp_path):
    probability, annotation = particle_probability
    quality = np.ones(annotation.shape, np.float32)
    quality[:, :2] = np.nan
    quality = as_volume(quality, SPACING, "image_quality_volume")
    choice = SimpleNamespace(minima_depth=0.02, grey=None)
    by_block = ExecutorSettings(
        executor=executor, n_workers=2, block_edge=8, scratch_folder=str(tmp_path)
    )

    in_core = find_basins(probability, quality, choice, ExecutorSettings())

    xr.testing.assert_identical(find_basins(probability, quality, choice, by_block), in_core)
    assert in_core.max() > 1
    assert list(tmp_path.iterdir()) == []


def test_who_computes_makes_no_basins_old():
    steps = create_pipeline()
    step = next(node for node in steps.nodes if node.name == "find_basins")
    store = SimpleNamespace(options=lambda name: {}, paths=lambda name: ())
    parameters = {"compute": {"executor": "dask"}, "segmentation": {}}

    settings = RecipeBuilder(store, parameters, steps, None).settings(step)

    assert "params:compute" in step.inputs
    assert settings == {}


def test_settings_are_chosen_by_annotated_slices_unless_given(particle_probability):
    probability, annotation = particle_probability
    quality = as_volume(np.ones(annotation.shape, np.float32), SPACING, "image_quality_volume")
    split = AnnotationSplit(train=(4, 8))
    depths = DepthCandidates(candidates=(0.01, 0.4), slack_bits=0.0)
    boundaries = BoundaryCandidates(candidates=(0.05, 0.5, 0.99), slack_bits=0.0)
    by_formula = GRAINS.replace(merge_evidence="score")  # the model of contacts is sure of these

    free, curve = choose_settings(
        probability, quality, annotation, split, by_formula, depths, boundaries
    )
    given = by_formula.replace(minima_depth=0.2, merge_boundary=0.7)
    fixed, with_given = choose_settings(
        probability, quality, annotation, split, given, depths, boundaries
    )

    information = curve.set_index("minima_depth")["interior_information"]
    assert free.minima_depth == free.best["minima_depth"] == information.idxmin()
    thresholds = free.merge_boundary_curve
    best = int(np.argmin(thresholds["interior_information"]))
    assert free.merge_boundary == thresholds["merge_boundary"][best] < 0.99
    assert free.judged_by_slices == [4, 8]
    assert curve["minima_depth"].tolist() == [0.01, 0.4]
    assert (fixed.minima_depth, fixed.merge_boundary) == (0.2, 0.7)
    assert with_given["minima_depth"].tolist() == [0.01, 0.2, 0.4]
    assert fixed.merge_boundary_curve["merge_boundary"] == [0.05, 0.5, 0.7, 0.99]
    assert free.grey is None


@pytest.mark.parametrize("wanted", ["auto", "network"])
def test_grey_values_are_flooded_where_they_are_better(particle_probability, wanted, caplog):
    probability, annotation = particle_probability
    classes = annotation.to_numpy()
    image = np.where(classes == 1, 10.0, 80.0).astype(np.float32)
    quality = as_volume(image, SPACING, "image_quality_volume")
    background = probability.to_numpy()[2]
    noise = np.random.default_rng(1).uniform(0.2, 0.8, classes.shape) * (1 - background)
    blind = as_volume(
        np.stack([noise, 1 - background - noise, background]).astype(np.float32), SPACING,
        "class_probability_volume", probability.channel.to_numpy().tolist(),
    )  # fmt: skip
    split, settings = AnnotationSplit(train=(4, 8)), GRAINS.replace(boundary_evidence=wanted)
    given = (blind, quality, annotation, split, settings, DepthCandidates(), BoundaryCandidates())
    channels = np.zeros((len(ORIENTATION_CHANNELS), *classes.shape), np.float32)
    oriented = as_volume(channels, SPACING, "orientation_volume", ORIENTATION_CHANNELS)

    choice, _ = choose_settings(*given, oriented * np.nan)
    assert choose_settings(*given, oriented)[0].grey is None  # orientations decide
    basins = find_basins(blind, quality, choice, ExecutorSettings()).to_numpy()

    used = choice.applied_to(settings)
    assert choice.evidence.prefers_grey
    assert (choice.grey is not None) == (wanted == "auto")
    assert f"took {'grey values' if wanted == 'auto' else 'the network'}" in caplog.text
    assert (used.place_sweeps == 0) == (wanted == "auto")
    assert (len(np.unique(basins[classes == 2])) <= 18) == (wanted == "auto")
    assert SegmentationChoice.from_dict(choice.to_dict()) == choice


@pytest.fixture
def particle_probability():
    """Blocks of grains with boundaries of two voxels, some weaker, and texture inside."""
    rng = np.random.default_rng(3)
    labels = np.kron(np.arange(1, 19).reshape(2, 3, 3), np.ones((6, 8, 8), int))
    labels = np.pad(labels, ((0, 0), (4, 4), (4, 4)))
    classes = np.stack([annotate(section, 0.0, rng) for section in labels.astype(np.int32)])
    boundary = np.where(classes == 1, 0.8, 0.1) + rng.uniform(-0.1, 0.1, labels.shape)
    boundary[5:7] = np.where(labels[5:7] > 0, 0.8, 0)
    background = (labels == 0) * 0.95
    boundary = boundary * (1 - background)
    stack = np.stack([boundary, 1 - boundary - background, background]).astype(np.float32)
    names = ("boundary", "interior", "background")
    return (
        as_volume(stack, SPACING, "class_probability_volume", names),
        as_volume(classes, SPACING, "annotation_volume"),
    )


@pytest.mark.parametrize(
    ("place", "accepted"),
    [
        (None, True),
        ("embedded", True),
        ("mlflow:0123", True),
        ("./network", True),
        ("embeded", False),
        ("network", False),  # without a path its content would not enter the recipe
    ],
)
def test_the_place_of_a_first_network_is_a_known_word_or_a_path(project, place, accepted):
    file = project / "conf" / "base" / "parameters_boundary_model.yml"
    values = yaml.safe_load(file.read_text())["boundary_model"]["training"]
    values["initial_network"] = place
    if accepted:
        assert TrainingSettings(**values).initial_network == place
    else:
        with pytest.raises(ValidationError, match="embedded, mlflow:<run id>, or a folder"):
            TrainingSettings(**values)
