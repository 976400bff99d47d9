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
                ["grain_sample", "params:modelling.sample", "params:modelling.goodness"],
                "marginal_fits",
                name="fit_marginals",
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
                nodes.compare_families,
                ["marginal_fits", "copula_fits"],
                "family_comparison",
                name="compare_families",
            ),
        ]
    )
