"""Flow of the sections pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.sections import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Sections to profiles, to a model of grains in space, and to a virtual particle of it."""
    return Pipeline(
        [
            Node(
                nodes.label_sections,
                ["grain_sections", "params:sections"],
                "section_labels",
                name="label_sections",
            ),
            Node(
                nodes.measure_sections,
                "section_labels",
                "section_profile_table",
                name="measure_sections",
            ),
            Node(
                nodes.fit_section_model,
                ["section_labels", "params:sections"],
                "section_model",
                name="fit_section_model",
            ),
            Node(
                nodes.fill_window,
                ["section_model", "outer_shell_volume", "params:sections"],
                ["virtual_grain_label_volume", "virtual_grain_table"],
                name="fill_window",
            ),
            Node(
                nodes.compare_sections,
                "section_model",
                "section_comparison",
                name="compare_sections",
            ),
            Node(
                nodes.draw_sections,
                [
                    "section_labels",
                    "section_profile_table",
                    "virtual_grain_label_volume",
                    "virtual_grain_table",
                ],
                "figure_sections",
                name="draw_sections",
            ),
        ]
    )
