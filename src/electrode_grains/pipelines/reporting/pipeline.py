"""Flow of the reporting pipeline."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from electrode_grains import tracking
from electrode_grains.pipelines.reporting import nodes

RESULTS = (
    "marginal_fits",
    "copula_fits",
    "derived_distributions",
    "dependence_comparison",
    "scan_index",
    "slice_transforms",
    "slice_table",
    "annotation_checks",
    "annotation_split",
    "boundary_scores",
    "validation_scores",
    "segmentation_scores",
    "segmentation_log",
    "truth_comparison",
)
SHOWN = (
    "parameters",
    "image_quality_volume",
    "class_probability_volume",
    "orientation_volume",
    "grain_label_volume",
    "grain_table",
    "grain_sample",
    "suspect_table",
    "particle_summary",
)
FIGURES = (
    "1",
    "slice_maps",
    "drift",
    "2",
    "3",
    "4",
    "learning_curves",
    "validation",
    "5",
    "depth_curve",
    "6",
    "truth_comparison",
    "7",
    "8",
    "probability",
    "specific_surface",
)


def create_pipeline(**_: object) -> Pipeline:
    """Everything before to tables, figures and the report."""
    write_report = partial(nodes.write_report, describe_run=tracking.provenance)
    shown = [*RESULTS, *(f"figure_{name}" for name in FIGURES), *(f"table_{n}" for n in "1234")]
    return Pipeline(
        [
            Node(
                nodes.draw_alignment,
                [
                    "image_quality_stack",
                    "image_quality_volume",
                    "orientation_stack",
                    "orientation_volume",
                    "slice_transforms",
                    "scan_index",
                ],
                ["figure_1", "figure_slice_maps", "figure_drift"],
                name="draw_alignment",
            ),
            Node(
                nodes.draw_boundary_model,
                [
                    "image_quality_volume",
                    "annotation_volume",
                    "class_probability_volume",
                    "annotation_split",
                    "boundary_network",
                    "training_history",
                    "validation_scores",
                    "unseen_probability_volume",
                ],
                [
                    "figure_2",
                    "figure_3",
                    "figure_4",
                    "figure_learning_curves",
                    "figure_validation",
                ],
                name="draw_boundary_model",
            ),
            Node(
                nodes.draw_segmentation,
                [
                    "image_quality_volume",
                    "basin_label_volume",
                    "grain_label_volume",
                    "annotation_split",
                    "depth_comparison",
                    "segmentation_log",
                ],
                ["figure_5", "figure_depth_curve"],
                name="draw_segmentation",
            ),
            Node(
                nodes.draw_grains,
                ["grain_label_volume", "grain_table"],
                "figure_6",
                name="draw_grains",
            ),
            Node(
                nodes.draw_truth,
                "truth_comparison",
                "figure_truth_comparison",
                name="draw_truth",
            ),
            Node(
                nodes.draw_distributions,
                ["grain_sample", "marginal_fits", "copula_fits"],
                ["figure_7", "figure_8", "figure_probability", "figure_specific_surface"],
                name="draw_distributions",
            ),
            Node(
                nodes.draw_candidates,
                ["grain_sample", "marginal_fits"],
                "candidate_chart",
                name="draw_candidates",
            ),
            Node(
                nodes.tabulate,
                ["marginal_fits", "copula_fits"],
                ["table_1", "table_2", "table_3", "table_4"],
                name="tabulate",
            ),
            Node(
                update_wrapper(write_report, nodes.write_report),
                {name: name for name in (*SHOWN, *shown)},
                "report",
                name="write_report",
                tags="main_process",
            ),
        ]
    )
