"""Flow of the orientation_annotation pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.orientation_annotation import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Scans to annotation images, where no hand has drawn any."""
    return Pipeline(
        [
            Node(
                nodes.annotate_slices,
                ["ebsd_scans", "params:preprocessing.stack", "params:orientation_annotation"],
                "orientation_annotations",
                name="annotate_slices",
            )
        ]
    )
