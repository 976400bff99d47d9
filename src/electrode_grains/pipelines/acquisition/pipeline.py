"""Flow of the acquisition pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.acquisition import nodes


def create_pipeline(**_: object) -> Pipeline:
    """A virtual particle, its scans, its annotations, and the truth."""
    return Pipeline(
        [
            Node(
                nodes.grow_particle,
                "params:acquisition.particle",
                ["virtual_particle", "true_grain_label_volume"],
                name="grow_particle",
            ),
            Node(
                nodes.scan_particle,
                ["virtual_particle", "params:acquisition.scan"],
                [
                    "ebsd_scans",
                    "slice_annotations",
                    "acquired_label_stack",
                    "true_slice_transforms",
                ],
                name="scan_particle",
            ),
        ]
    )
