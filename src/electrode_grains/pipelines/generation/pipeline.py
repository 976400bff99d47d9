"""Flow of the generation pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.generation import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Fits to a model of the architecture, virtual particles and their comparison."""
    return Pipeline(
        [
            Node(
                nodes.calibrate_architecture,
                [
                    "grain_label_volume",
                    "grain_sample",
                    "marginal_fits",
                    "copula_fits",
                    "params:generation",
                ],
                "architecture_model",
                name="calibrate_architecture",
            ),
            Node(
                nodes.generate_particles,
                [
                    "architecture_model",
                    "grain_label_volume",
                    "grain_table",
                    "contact_table",
                    "params:generation",
                ],
                ["virtual_grain_label_volume", "virtual_grain_table", "virtual_contact_table"],
                name="generate_particles",
            ),
            Node(
                nodes.compare_generation,
                [
                    "grain_sample",
                    "contact_table",
                    "virtual_grain_table",
                    "virtual_contact_table",
                    "architecture_model",
                    "params:generation",
                ],
                "generation_comparison",
                name="compare_generation",
            ),
            Node(
                nodes.draw_particles,
                [
                    "grain_label_volume",
                    "virtual_grain_label_volume",
                    "grain_sample",
                    "virtual_grain_table",
                    "marginal_fits",
                ],
                "figure_virtual_particles",
                name="draw_particles",
            ),
            Node(
                nodes.write_virtual_page,
                [
                    "figure_virtual_particles",
                    "generation_comparison",
                    "virtual_grain_table",
                    "parameters",
                ],
                "virtual_particles_page",
                name="write_virtual_page",
            ),
        ]
    )


def create_scenario_pipeline() -> Pipeline:
    """A calibrated architecture to one particle for each scenario, exported and drawn."""
    return Pipeline(
        [
            Node(
                nodes.make_scenarios,
                [
                    "architecture_model",
                    "grain_label_volume",
                    "grain_table",
                    "contact_table",
                    "params:generation",
                    "params:scenarios",
                ],
                ["scenario_grain_label_volume", "scenario_grain_table", "scenario_table"],
                name="make_scenarios",
            ),
            Node(
                nodes.gather_scenarios,
                ["scenario_grain_label_volume", "scenario_grain_table", "params:generation"],
                "exported_scenarios",
                name="export_scenarios",
            ),
            Node(
                nodes.draw_scenarios,
                ["scenario_grain_label_volume", "scenario_table"],
                "figure_scenarios",
                name="draw_scenarios",
            ),
        ]
    )
