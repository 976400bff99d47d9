"""Flow of the characterization pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.characterization import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Grain labels to the grain table, the contact table and the particle summary."""
    return Pipeline(
        [
            Node(nodes.measure_grains, "grain_label_volume", "grain_table", name="measure_grains"),
            Node(
                nodes.measure_boundaries,
                "grain_label_volume",
                "contact_table",
                name="measure_boundaries",
            ),
            Node(nodes.summarize, "grain_label_volume", "particle_summary", name="summarize"),
            Node(
                nodes.compare_with_truth,
                [
                    "grain_table",
                    "true_grain_label_volume",
                    "acquired_label_stack",
                    "slice_transforms",
                ],
                "truth_comparison",
                name="compare_with_truth",
            ),
        ]
    )
