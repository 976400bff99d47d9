"""Flow of the boundary_model pipeline."""

from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.pipeline import Node, Pipeline

from electrode_grains import tracking
from electrode_grains.datasets.network import read_network
from electrode_grains.pipelines.boundary_model import nodes

if TYPE_CHECKING:
    from electrode_grains.boundary import UNet3D

MLFLOW = "mlflow:"


def load_network(place: str) -> "UNet3D":
    """Read the network of an MLflow run (`mlflow:<run id>`), or of a folder."""
    if place.startswith(MLFLOW):
        return read_network(tracking.logged_folder(place.removeprefix(MLFLOW), "boundary_network"))
    return read_network(Path(place))


def create_pipeline(**_: object) -> Pipeline:
    """Aligned image quality and annotations to class probabilities."""
    validate = partial(nodes.validate_network, load_network=load_network)
    begin = partial(nodes.begin_training, load_network=load_network)
    train = partial(
        nodes.train_network, on_epoch=tracking.log_epoch_and_machine, load_network=load_network
    )
    return Pipeline(
        [
            Node(
                nodes.build_contrast,
                [
                    "image_quality_volume",
                    "orientation_volume",
                    "scan_index",
                    "params:boundary_model.contrast",
                    "annotation_volume",
                ],
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
                update_wrapper(validate, nodes.validate_network),
                [
                    "contrast_volume",
                    "annotation_volume",
                    "training_states",
                    "params:boundary_model.training",
                    "params:boundary_model.validation",
                ],
                ["validation_scores", "unseen_probability_volume"],
                name="validate_network",
                tags="main_process",
            ),
            Node(
                update_wrapper(begin, nodes.begin_training),
                [
                    "contrast_volume",
                    "annotation_volume",
                    "annotation_split",
                    "params:boundary_model.training",
                ],
                "training_states",
                name="begin_training",
                tags="main_process",
            ),
            Node(
                update_wrapper(train, nodes.train_network),
                [
                    "contrast_volume",
                    "annotation_volume",
                    "annotation_split",
                    "training_states",
                    "params:boundary_model.training",
                ],
                ["boundary_network", "training_history", "boundary_scores"],
                name="train_network",
                tags="main_process",
            ),
            Node(
                nodes.predict_probabilities,
                ["boundary_network", "contrast_volume", "params:boundary_model.prediction"],
                "class_probability_volume",
                name="predict_probabilities",
            ),
        ]
    )
