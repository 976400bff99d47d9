"""Flow of the modelling pipeline."""

from kedro.pipeline import Node, Pipeline

from electrode_grains.pipelines.modelling import nodes


def create_pipeline(**_: object) -> Pipeline:
    """Grain table to marginal distributions, copulas and their comparison."""
    return Pipeline(
        [
            Node(
                nodes.select_grains,
                ["grain_table", "params:modelling.sample"],
                "grain_sample",
                name="select_grains",
            ),
            Node(
                nodes.fit_marginals,
                [
                    "grain_sample",
                    "params:modelling.sample",
                    "params:modelling.marginals",
                    "params:modelling.goodness",
                ],
                "marginal_fits",
                name="fit_marginals",
            ),
            Node(
                nodes.assign_populations,
                ["grain_sample", "marginal_fits"],
                "grain_populations",
                name="assign_populations",
            ),
            Node(
                nodes.fit_copulas,
                [
                    "grain_sample",
                    "marginal_fits",
                    "params:modelling.pairs",
                    "params:modelling.goodness",
                ],
                "copula_fits",
                name="fit_copulas",
            ),
            Node(
                nodes.derive_distributions,
                ["grain_sample", "marginal_fits", "copula_fits"],
                "derived_distributions",
                name="derive_distributions",
            ),
            Node(
                nodes.compare_joint_models,
                [
                    "grain_sample",
                    "marginal_fits",
                    "params:modelling.pairs",
                    "params:modelling.goodness",
                ],
                "dependence_comparison",
                name="compare_joint_models",
            ),
            Node(
                nodes.compare_families,
                ["marginal_fits", "copula_fits"],
                "family_comparison",
                name="compare_families",
            ),
        ]
    )


def create_comparison_pipeline(**_: object) -> Pipeline:
    """Grain tables of several particles to the differences between them."""
    return Pipeline(
        [
            Node(
                nodes.compare_particles,
                [
                    "compared_grain_tables",
                    "params:modelling.sample",
                    "params:modelling.pairs",
                    "params:modelling.comparison",
                ],
                "particle_comparison",
                name="compare_particles",
            )
        ]
    )
