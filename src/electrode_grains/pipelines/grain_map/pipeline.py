"""Flow of the grain_map pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.grain_map import nodes


def create_pipeline(**_: object) -> Pipeline:
    """A grain map to what characterization reads of a segmented particle."""
    return Pipeline(
        [
            Node(
                nodes.read_grain_map,
                ["grain_map", "params:grain_map"],
                [
                    "grain_label_volume",
                    "orientation_volume",
                    "corrected_orientation_volume",
                    "scan_index",
                ],
                name="read_grain_map",
            )
        ]
    )
