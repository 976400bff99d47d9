"""Flow of the preprocessing pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.preprocessing import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Scans to aligned image quality, orientations and annotations."""
    return Pipeline(
        [
            Node(
                nodes.read_stack,
                ["ebsd_scans", "params:preprocessing.stack"],
                ["image_quality_stack", "orientation_stack", "scan_index"],
                name="read_stack",
            ),
            Node(
                nodes.register_slices,
                [
                    "image_quality_stack",
                    "orientation_stack",
                    "scan_index",
                    "params:preprocessing.alignment",
                ],
                "slice_transforms",
                name="register_slices",
            ),
            Node(
                nodes.tabulate_slices,
                ["slice_transforms", "scan_index"],
                "slice_table",
                name="tabulate_slices",
            ),
            Node(
                nodes.align_image_quality,
                ["image_quality_stack", "slice_transforms", "params:preprocessing.alignment"],
                "image_quality_volume",
                name="align_image_quality",
            ),
            Node(
                nodes.align_orientations,
                ["orientation_stack", "slice_transforms"],
                "orientation_volume",
                name="align_orientations",
            ),
            Node(
                nodes.align_annotations,
                [
                    "slice_annotations",
                    "orientation_annotations",
                    "scan_index",
                    "image_quality_stack",
                    "image_quality_volume",
                    "orientation_stack",
                    "slice_transforms",
                    "params:preprocessing.annotation",
                ],
                ["annotation_volume", "annotation_checks"],
                name="align_annotations",
            ),
        ]
    )
