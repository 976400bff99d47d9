"""Nodes of the reporting pipeline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pydantic_core import to_jsonable_python

from electrode_grains import distributions, ebsd, figures
from electrode_grains.alignment import SliceTransforms
from electrode_grains.boundary.split import AnnotationSplit
from electrode_grains.distributions.records import CopulaFits, MarginalFits
from electrode_grains.ebsd import ScanIndex
from electrode_grains.grains import SegmentationLog
from electrode_grains.morphometry.orientations import UNDECIDED
from electrode_grains.morphometry.summary import ParticleSummary
from electrode_grains.volumes import spacing_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

    from electrode_grains.boundary import UNet3D, ValidationScores
else:
    # Kedro evaluates all hints; matplotlib, plotly and torch come when needed.
    Figure = PlotlyFigure = UNet3D = ValidationScores = Any

logger = logging.getLogger(__name__)

# Figure 6 shows a grain that is large enough to be seen and not larger than usual.
SHOWN_GRAIN_QUANTILE = 0.75
DOUBTFUL_P_VALUE = 0.05
LISTED_GRAINS = 20
LISTED_NOTES = 5  # of scans, at the top of the report
UNKNOWN_GREY = 0.5  # colour of grains without orientation
DERIVED_FROM = ("equivalent_diameter_nm", "sphericity")


def draw_alignment(
    image_quality_stack: xr.DataArray,
    image_quality_volume: xr.DataArray,
    orientation_stack: xr.DataArray,
    orientation_volume: xr.DataArray,
    slice_transforms: SliceTransforms,
    scan_index: ScanIndex,
) -> tuple[Figure, Figure, Figure]:
    """Show the stack before and after alignment, its middle slice, and what moved."""
    before, after = image_quality_stack.to_numpy(), image_quality_volume.to_numpy()
    spacing = spacing_of(image_quality_volume)
    middle = len(before) // 2
    laue = scan_index.laue_group
    fields = orientation_stack[:4, middle], orientation_volume[:4, middle]
    scanned, aligned = (
        ebsd.ipf_colors(np.moveaxis(field.to_numpy(), 0, -1), laue) for field in fields
    )
    return (
        figures.stack_alignment(before, after, spacing),
        figures.slice_maps(before[middle], after[middle], scanned, aligned, spacing),
        figures.drift_plot(slice_transforms.to_dict()),
    )


def draw_boundary_model(
    image_quality_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    class_probability_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    boundary_network: UNet3D,
    training_history: pd.DataFrame,
    validation_scores: ValidationScores,
    unseen_probability_volume: xr.DataArray,
) -> tuple[Figure, Figure, Figure, Figure, Figure]:
    """Show a judged slice, the network, an unlabelled slice, the training and its validation."""
    quality, probability = image_quality_volume.to_numpy(), class_probability_volume.to_numpy()
    spacing = spacing_of(image_quality_volume)
    annotated = list(annotation_split.annotated)
    unseen = [int(z) for row in validation_scores.slices if (z := row["slice"]) is not None]
    judged = int([*annotation_split.held_out, *unseen, *annotated][0])
    far = farthest_slice(annotated, len(quality))
    of_judged = unseen_probability_volume.to_numpy() if judged in unseen else probability
    return (
        figures.annotated_slice(quality, annotation_volume.to_numpy(), of_judged, judged, spacing),
        figures.network_architecture(boundary_network.settings),
        figures.predicted_slice(quality, probability, far, spacing),
        figures.learning_curves(training_history),
        figures.validation_plot(validation_scores.to_dict()),
    )


def farthest_slice(annotated: list[int], depth: int) -> int:
    """Slice between annotated ones that is farthest from any of them."""
    if not annotated:
        return depth // 2
    inside = np.arange(min(annotated), max(annotated) + 1)
    distance = np.abs(inside[:, None] - np.array(annotated)).min(axis=1)
    return int(inside[distance.argmax()])


def draw_segmentation(
    image_quality_volume: xr.DataArray,
    basin_label_volume: xr.DataArray,
    grain_label_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    depth_comparison: pd.DataFrame,
    segmentation_log: SegmentationLog,
) -> tuple[Figure, Figure]:
    """Show regions and grains on an unlabelled slice, and what other depths would do."""
    annotated = list(annotation_split.annotated)
    return figures.segmentation_slice(
        image_quality_volume.to_numpy(),
        basin_label_volume.to_numpy(),
        grain_label_volume.to_numpy(),
        farthest_slice(annotated, len(image_quality_volume)),
        spacing_of(image_quality_volume),
    ), figures.depth_curve(depth_comparison, segmentation_log.minima_depth)


def draw_grains(grain_label_volume: xr.DataArray, grain_table: pd.DataFrame) -> Figure:
    """Illustrate the characteristics on one grain."""
    whole = grain_table.loc[~grain_table["touches_window"], "voxel_count"]
    size = grain_table["voxel_count"] if whole.empty else whole
    deviation = (size - float(size.quantile(SHOWN_GRAIN_QUANTILE))).abs()
    row = grain_table.loc[[deviation.idxmin()]].iloc[0]
    box = tuple(slice(int(row[f"box_first_{a}"]), int(row[f"box_last_{a}"]) + 1) for a in "zyx")
    mask = grain_label_volume.to_numpy()[box] == row["label"]
    values = {name: row[name] for name in row.index if isinstance(row[name], float)}
    return figures.descriptor_illustration(mask, spacing_of(grain_label_volume), values)


def draw_truth(truth_comparison: pd.DataFrame) -> Figure:
    """Set the means of the characteristics beside the truth."""
    return figures.truth_comparison(truth_comparison)


def draw_distributions(
    grain_sample: pd.DataFrame, marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> tuple[Figure, Figure, Figure, Figure]:
    """Show histograms with fitted densities, densities of pairs, how well they fit, and 6/(ds)."""
    marginals = marginal_fits.characteristics
    fitted = {name: fit for name, fit in marginals.items() if fit.best is not None}
    models = {name: fit.distribution() for name, fit in fitted.items()}
    families = {name: fit.best for name, fit in fitted.items()}
    splines = {name: fit.smooth.distribution() for name, fit in fitted.items() if fit.smooth}
    panels = []
    for pair in copula_fits.pairs:
        x, y = grain_sample[[pair.x, pair.y]].dropna().to_numpy().T
        panels.append(distributions.fig8_panel(x, y, pair, marginals[pair.x], marginals[pair.y]))
    joint = distributions.joint_density_of(*DERIVED_FROM, marginal_fits, copula_fits)
    surface = distributions.specific_surface_area(*grain_sample[list(DERIVED_FROM)].to_numpy().T)
    # Too few whole grains for any fit: a page that says so instead of a run that ends here.
    fits_exist = bool(models)
    return (
        figures.marginal_histograms(grain_sample, models, families, splines=splines)
        if fits_exist
        else figures.nothing_fitted(len(grain_sample)),
        figures.bivariate_densities(panels),
        figures.probability_plots(grain_sample, models, families)
        if fits_exist
        else figures.nothing_fitted(len(grain_sample)),
        figures.derived_histogram(
            surface,
            distributions.implied_density(distributions.specific_surface_area, joint),
            r"Surface area per volume $6/(d\,s)$ / $\mathrm{\mu m^{-1}}$",
            joint.copula.family if joint else None,
        ),
    )


def tabulate(
    marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Build Tables 1 to 4 of the paper for this particle."""
    marginals, copulas = marginal_fits.to_dict(), copula_fits.to_dict()
    return (
        figures.table_1(marginals),
        figures.table_2(marginals),
        figures.table_3(copulas),
        figures.table_4(copulas),
    )


def write_report(
    parameters: Mapping[str, Any],
    image_quality_volume: xr.DataArray | None,
    class_probability_volume: xr.DataArray | None,
    orientation_volume: xr.DataArray | None,
    grain_label_volume: xr.DataArray,
    grain_table: pd.DataFrame,
    grain_sample: pd.DataFrame,
    suspect_table: pd.DataFrame | None,
    particle_summary: ParticleSummary,
    describe_run: Callable[[], Mapping[str, Any]] = dict,
    **results: Any,
) -> str:
    """Write the report; what a run has not got (scans, network) is left out of it."""
    results = {name: result for name, result in results.items() if result is not None}
    drawn = {name: results.pop(name) for name in list(results) if name.startswith("figure_")}
    if not results.get("validation_scores") or not results["validation_scores"].slices:
        drawn.pop("figure_validation", None)  # it says that no slice was left out
    tables = {name: results.pop(name) for name in list(results) if name.startswith("table_")}
    marginals, copulas = results.get("marginal_fits"), results.get("copula_fits")
    candidates, formulas = None, {}
    if marginals and copulas:
        candidates = evaluate_candidates(grain_sample, marginals, copulas)
        formulas = formulas_of_the_best(marginals, copulas)
    results = {name: plain_values(result) for name, result in results.items()}
    settings = to_jsonable_python(parameters)  # Kedro has made models of its leaves
    labels = grain_label_volume.to_numpy()
    quality = None if image_quality_volume is None else image_quality_volume.to_numpy()
    index = results.get("scan_index") or {}
    laue = index.get("laue_group") or settings.get("characterization", {}).get("measure", {}).get(
        "laue_group", "-3m"
    )
    colours = orientation_colours(orientation_volume, labels, laue)
    # The browser needs a picture below the grains, be it an empty one.
    below = np.zeros(labels.shape, np.float32) if quality is None else quality
    boundary = None
    if class_probability_volume is not None:
        boundary = class_probability_volume.sel(channel="boundary").to_numpy()
    particle = settings.get("particle", {})
    content = figures.ReportContent(
        title=str(particle.get("name", "particle")),
        subtitle=str(particle.get("material", "")),
        figures=drawn,
        tables=tables,
        grain_table=grain_table,
        particle_summary=particle_summary.to_dict(),
        mesh=coloured_mesh(labels, spacing_of(grain_label_volume), grain_table, laue),
        slices=figures.slice_browser(
            below,
            labels,
            boundary,
            colours,
            spacing_nm=spacing_of(grain_label_volume),
            slice_names=list(index.get("slices") or ()),
        ),
        suspects=suspect_table,
        suspect_pictures=()
        if suspect_table is None
        else figures.suspect_pictures(suspect_table, below, labels, colours),
        candidates=candidates,
        formulas=formulas,
        provenance={
            **describe_run(),
            "data_fingerprints": {
                **({"ebsd_scans": index["fingerprint"]} if "fingerprint" in index else {}),
                **({} if quality is None else {"image_quality_volume": fingerprint(quality)}),
                "grain_label_volume": fingerprint(labels),
                "grain_table": fingerprint(pd.util.hash_pandas_object(grain_table).to_numpy()),
            },
            "parameters": settings,
        },
        warnings=[
            *collect_warnings(results),
            *unresolved_grains(grain_table, particle_summary),
            *undecided_grains(grain_table),
        ],
        **results,
    )
    logger.info("%s: %s", content.title, figures.summarize(content))
    if content.warnings:
        logger.info("%d warnings about these results are in the report", len(content.warnings))
    return figures.report_page(content)


def orientation_colours(
    orientation_volume: xr.DataArray | None, labels: NDArray[Any], laue: str
) -> NDArray[np.float64] | None:
    """Colours of the orientations inside grains; None where there is none."""
    if orientation_volume is None:
        return None
    # Outside the particle orientations are noise, which would be most of the page.
    quaternions = np.where(labels > 0, orientation_volume.to_numpy()[:4], np.nan)
    return ebsd.ipf_colors(np.moveaxis(quaternions, 0, -1), laue)


def plain_values(result: Any) -> Any:
    """A result as the page shows it: plain values by name; tables stay as they are."""
    return result if isinstance(result, (Mapping, pd.DataFrame)) else result.to_dict()


def coloured_mesh(
    labels: NDArray[Any],
    spacing: tuple[float, float, float],
    grain_table: pd.DataFrame,
    laue: str,
) -> dict[str, Any]:
    """Mesh the grains, with the colour of each one's mean orientation where it is known."""
    mesh: dict[str, Any] = dict(figures.particle_mesh(labels, spacing))
    columns = [f"orientation_{part}" for part in "wxyz"]
    if set(columns) <= set(grain_table):
        means = grain_table.set_index("label")[columns].reindex(mesh["labels"]).to_numpy(float)
        if np.isfinite(means).any():
            known = np.isfinite(means).all(axis=1)[:, None]
            colours = ebsd.ipf_colors(means, laue)
            mesh["orientation_colours"] = np.where(known, colours, UNKNOWN_GREY)
    return mesh


def draw_candidates(grain_sample: pd.DataFrame, marginal_fits: MarginalFits) -> PlotlyFigure:
    """Chart the characteristics with their best families, for the node in kedro-viz."""
    no_pairs = CopulaFits(pairs=[])
    return figures.candidate_chart(evaluate_candidates(grain_sample, marginal_fits, no_pairs))


def evaluate_candidates(
    grain_sample: pd.DataFrame, marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> dict[str, Any]:
    """Evaluate the densities of all candidates for Figs. 7 and 8 as pages show them."""
    marginals = marginal_fits.characteristics
    pairs = []
    for pair in copula_fits.pairs:
        x, y = grain_sample[[pair.x, pair.y]].dropna().to_numpy().T
        panel = distributions.candidate_densities(x, y, pair, marginals[pair.x], marginals[pair.y])
        pairs.append({"x": pair.x, "y": pair.y, **panel})
    return figures.distribution_payload(
        {
            name: distributions.marginal_candidate_densities(grain_sample[name], fit)
            for name, fit in marginals.items()
        },
        pairs,
    )


def fingerprint(values: NDArray[Any]) -> str:
    """Digest of an array's bytes, by which two runs can tell whether they saw the same."""
    return sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def collect_warnings(results: Mapping[str, Any]) -> list[str]:
    """Gather the warnings of the steps before; a step that did not run has none."""
    index = results.get("scan_index") or {}
    warnings = list(index.get("stack_notes", []))
    notes = list(index.get("notes", []))[len(warnings) :]
    warnings += notes[:LISTED_NOTES]
    if more := len(notes[LISTED_NOTES:]):
        warnings.append(f"{more} more notes on scans, see Slices")
    transforms = results.get("slice_transforms") or {}
    names = index.get("slices") or ()
    warnings += [
        f"slice {names[z] if z < len(names) else z}: {flag}"
        for z, flags in enumerate(transforms.get("flags") or ())
        for flag in flags
    ]
    warnings += transforms.get("notes") or []
    checked = (results.get("annotation_checks") or {}).get("slices") or ()
    warnings += [fit["doubt"] for fit in checked if fit["doubt"]]
    warnings += (results.get("validation_scores") or {}).get("warnings") or []
    warnings += (results.get("segmentation_log") or {}).get("doubts") or []
    fitted = (results.get("marginal_fits") or {}).get("characteristics") or {}
    for characteristic, fits in fitted.items():
        name = figures.characteristic_name(characteristic)
        if fits["excluded_count"]:
            count = fits["excluded_count"]
            warnings.append(
                f"{name}: {count} {'grain' if count == 1 else 'grains'} "
                f"{fits['excluded_reason']}, left out of all fits: labels {fits['excluded_labels']}"
            )
        tested = fits.get("goodness_of_fit") or {}
        tests = tested.get("p_values") or {}
        if tested.get("combined_p_value") is not None:
            tests = {"the three tests together": tested["combined_p_value"]}
        told = warn_of_misfit(name, fits.get("best"), tests, tested.get("replicates"))
        warnings += [f"{one}{_instead(fits.get('smooth'))}" for one in told]
    for pair in (results.get("copula_fits") or {}).get("pairs") or ():
        family = (pair["best"] or {}).get("family")
        tested = pair.get("goodness_of_fit") or {}
        names = " and ".join(figures.characteristic_name(pair[side]) for side in "xy")
        tests = {"rosenblatt": tested.get("p_value")}
        warnings += warn_of_misfit(names, family, tests, tested.get("replicates"))
    return warnings


def _instead(smooth: Mapping[str, Any] | None) -> str:
    """What joint models rest on where the best family is rejected."""
    if smooth is None:
        return ""
    return (
        f"; joint densities rest on a spline with {smooth['parameter_count']} parameters "
        f"({smooth['delta_aic']:+.1f} units of AIC)"
    )


def formulas_of_the_best(
    marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> dict[str, dict[str, str]]:
    """Formulas of the families that won, each once, by what they give."""
    families = [fit.best for fit in marginal_fits.characteristics.values() if fit.best]
    copulas = [pair.best.family for pair in copula_fits.pairs if pair.best]
    known: dict[str, list[Any]] = {
        "f(x)": [distributions.family_named(name) for name in dict.fromkeys(families)],
        "C(u, v)": [distributions.copula_family_named(name) for name in dict.fromkeys(copulas)],
    }
    return {
        left: {family.name: family.formula for family in declared if family.formula}
        for left, declared in known.items()
    }


def unresolved_grains(grain_table: pd.DataFrame, particle_summary: ParticleSummary) -> list[str]:
    """Say below which diameter voxels decide a shape descriptor, and how many grains it is."""
    diameters = grain_table.loc[~grain_table["touches_window"], "equivalent_diameter_nm"]
    affected = {
        name: (limit, int((diameters < limit).sum()))
        for name, limit in (particle_summary.resolution_limits_nm or {}).items()
        if limit is not None
    }
    return [
        f"{figures.characteristic_name(name)} is unreliable for grains smaller than {limit:.0f} nm "
        f"(voxel error exceeds half the spread between grains); this affects "
        f"{count} of {len(diameters)} whole grains"
        for name, (limit, count) in affected.items()
        if count
    ]


def undecided_grains(grain_table: pd.DataFrame) -> list[str]:
    """Name the grains whose c axis could not be told from those that the indexer confuses."""
    if "orientation_reason" not in grain_table:
        return []
    undecided = grain_table["orientation_reason"].astype(str).str.contains(UNDECIDED, regex=False)
    labels = grain_table.loc[undecided, "label"].tolist()
    if not labels:
        return []
    shown = ", ".join(map(str, labels[:LISTED_GRAINS]))
    more = f" and {len(labels) - LISTED_GRAINS} more" if len(labels) > LISTED_GRAINS else ""
    return [
        f"Without a certain c axis between pseudo-symmetric variants, and without an angle of it: "
        f"{len(labels)} of {len(grain_table)} grains ({shown}{more})"
    ]


def warn_of_misfit(
    subject: str, family: str | None, p_values: Mapping[str, Any], replicates: int | None = None
) -> list[str]:
    """Say where even the best family does not fit: AIC always names one."""
    known = {name: p for name, p in p_values.items() if p is not None and p == p}
    if family is None or not known or min(known.values()) > DOUBTFUL_P_VALUE:
        return []
    test = min(known, key=lambda name: known[name])
    named = test
    if " " not in test:
        named = "-".join(part.capitalize() for part in test.split("_"))
    text = figures.p_text(known[test], replicates)
    p_value = f"p {text}" if text.startswith("≤") else f"p = {text}"
    return [
        f"No candidate fits {subject.lower()} well: the best, {figures.family_name(family)}, is "
        f"rejected ({named}, {p_value})"
    ]
