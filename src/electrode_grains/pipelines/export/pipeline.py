"""Flow of the export pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.export import nodes

INPUTS = (
    "grain_label_volume",
    "grain_table",
    "image_quality_volume",
    "corrected_orientation_volume",
    "scan_index",
)


def create_pipeline(**_: object) -> Pipeline:
    """Grains and their table to files of other programs."""
    return Pipeline(
        [
            Node(
                nodes.gather_particle,
                [*INPUTS, "parameters"],
                "exported_particle",
                name="gather_particle",
            )
        ]
    )
