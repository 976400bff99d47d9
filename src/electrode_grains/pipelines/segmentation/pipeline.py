"""Flow of the segmentation pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.segmentation import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Class probabilities to grain labels and their scores."""
    return Pipeline(
        [
            Node(
                nodes.choose_settings,
                [
                    "class_probability_volume",
                    "image_quality_volume",
                    "annotation_volume",
                    "annotation_split",
                    "params:segmentation.grains",
                    "params:segmentation.depths",
                    "params:segmentation.boundaries",
                    "orientation_volume",
                ],
                ["segmentation_choice", "depth_comparison"],
                name="choose_settings",
            ),
            Node(
                nodes.find_basins,
                [
                    "class_probability_volume",
                    "image_quality_volume",
                    "segmentation_choice",
                    "params:compute",
                ],
                "basin_label_volume",
                name="find_basins",
                tags="main_process",
            ),
            Node(
                nodes.form_grains,
                [
                    "class_probability_volume",
                    "image_quality_volume",
                    "basin_label_volume",
                    "orientation_volume",
                    "scan_index",
                    "segmentation_choice",
                    "params:segmentation.grains",
                    "params:segmentation.manual",
                    "segmentation_edits",
                ],
                ["formed_label_volume", "forming_log"],
                name="form_grains",
            ),
            Node(
                nodes.separate_voids,
                [
                    "formed_label_volume",
                    "forming_log",
                    "class_probability_volume",
                    "image_quality_volume",
                    "orientation_volume",
                    "params:segmentation.grains",
                    "params:segmentation.voids",
                ],
                ["grain_label_volume", "void_label_volume", "void_table", "segmentation_log"],
                name="separate_voids",
            ),
            Node(
                nodes.decide_variants,
                [
                    "grain_label_volume",
                    "orientation_volume",
                    "segmentation_log",
                    "params:segmentation.grains",
                ],
                ["corrected_orientation_volume", "variant_table"],
                name="decide_variants",
            ),
            Node(
                nodes.list_suspects,
                [
                    "grain_label_volume",
                    "class_probability_volume",
                    "orientation_volume",
                    "segmentation_log",
                    "params:segmentation.grains",
                ],
                "suspect_table",
                name="list_suspects",
            ),
            Node(
                nodes.score_segmentation,
                [
                    "grain_label_volume",
                    "annotation_volume",
                    "acquired_label_stack",
                    "slice_transforms",
                    "true_grain_label_volume",
                    "segmentation_log",
                ],
                "segmentation_scores",
                name="score_segmentation",
            ),
        ]
    )
