"""Flow of the boundary_model pipeline."""

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from electrode_grains import tracking
from electrode_grains.pipelines.boundary_model import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Aligned image quality and annotations to class probabilities."""
    train = partial(nodes.train_network, on_epoch=tracking.log_epoch)
    return Pipeline(
        [
            Node(
                nodes.build_contrast,
                "image_quality_volume",
                "contrast_volume",
                name="build_contrast",
            ),
            Node(
                nodes.split_annotations,
                ["annotation_volume", "params:boundary_model.split"],
                "annotation_split",
                name="split_annotations",
            ),
            Node(
                update_wrapper(train, nodes.train_network),
                [
                    "contrast_volume",
                    "annotation_volume",
                    "annotation_split",
                    "params:boundary_model.training",
                ],
                ["boundary_network", "training_history", "boundary_scores"],
                name="train_network",
            ),
            Node(
                nodes.predict_probabilities,
                ["boundary_network", "contrast_volume", "params:boundary_model.prediction"],
                "class_probability_volume",
                name="predict_probabilities",
            ),
        ]
    )
