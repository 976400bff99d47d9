"""Flow of the characterization pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.characterization import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Grain labels to the grain table, the contact table and the particle summary."""
    return Pipeline(
        [
            Node(
                nodes.measure_particle,
                [
                    "grain_label_volume",
                    "image_quality_volume",
                    "corrected_orientation_volume",
                    "variant_table",
                    "params:characterization.measure",
                ],
                ["grain_table", "contact_table", "particle_summary"],
                name="measure_particle",
            ),
            Node(
                nodes.compare_with_truth,
                [
                    "grain_table",
                    "true_grain_label_volume",
                    "acquired_label_stack",
                    "slice_transforms",
                    "image_quality_volume",
                ],
                "truth_comparison",
                name="compare_with_truth",
            ),
        ]
    )
