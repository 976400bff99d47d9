import numpy as np
import pandas as pd
import pytest

from electrode_grains.distributions import COPULA_FAMILIES, MARGINAL_FAMILIES
from electrode_grains.figures import table_1, table_2, table_3, table_4, to_latex, to_markdown
from electrode_grains.figures.table_text import display_rows
from proofs import proves

MARGINALS = {
    "schema_version": 1,
    "characteristics": {
        "sphericity": {
            "unit": "1",
            "sample_size": 239,
            "mean": 0.85,
            "std": 0.05,
            "best": "beta",
            "candidates": [
                {"family": "weibull", "parameters": {"k": 1.0}, "mean": 1.0, "std": 1.0},
                {
                    "family": "beta",
                    "parameters": {"a": 40.1, "b": 7.2},
                    "mean": 0.847780,
                    "std": 0.051690,
                },
            ],
        },
        "equivalent_diameter_nm": {
            "unit": "nm",
            "sample_size": 239,
            "mean": None,
            "std": None,
            "best": None,
            "candidates": [],
        },
    },
}
COPULAS = {
    "pairs": [
        {
            "x": "sphericity",
            "y": "convexity",
            "sample_size": 239,
            "pearson_r": 0.91,
            "kendall_tau": 0.7,
            "fitted_correlation": 0.911315,
            "best": {
                "family": "bb1",
                "rotation": 180,
                "parameters": [0.36, 3.13],
                "parameter_order": ["kappa", "delta"],
            },
        },
        {"x": "polar_angle", "y": "azimuthal_angle", "best": None, "fitted_correlation": None},
    ]
}


@proves("report_tables", "table_1", oracle="closed form", by="given fits, cell by cell")
def test_table_1_follows_the_order_of_the_paper_and_keeps_failures():
    table = table_1(MARGINALS)

    assert table["characteristic"].tolist() == ["equivalent_diameter_nm", "sphericity"]
    assert table["family"].tolist() == [None, "beta"]
    assert table["parameters"].tolist() == ["", "a = 40.1, b = 7.2"]


@proves("report_tables", "table_2", oracle="closed form", by="given fits, cell by cell")
def test_table_2_takes_moments_from_the_best_family():
    row = table_2(MARGINALS).set_index("characteristic").loc["sphericity"]

    assert (row["mean_fitted"], row["std_fitted"]) == (0.847780, 0.051690)
    assert table_2(MARGINALS)["mean_fitted"].isna().tolist() == [True, False]


@proves("report_tables", "table_3", oracle="closed form", by="given fits, cell by cell")
def test_table_3_sets_correlations_side_by_side():
    table = table_3(COPULAS)

    assert table["correlation_fitted"].iloc[0] == 0.911315
    assert np.isnan(table["correlation_empirical"].iloc[1])


@proves("report_tables", "table_4", oracle="closed form", by="given fits, cell by cell")
def test_table_4_names_family_parameters_and_rotation():
    table = table_4(COPULAS)

    fitted = ["bb1", "κ = 0.36, δ = 3.13", 180]
    assert table.iloc[0, :5].tolist() == ["sphericity", "convexity", *fitted]
    assert table["rotation"].isna().tolist() == [False, True]


@pytest.mark.parametrize(("build", "key"), [
    (table_1, "characteristics"), (table_2, "characteristics"), (table_3, "pairs"),
    (table_4, "pairs"),
])  # fmt: skip
def test_nothing_fitted_gives_an_empty_table_that_renders(build, key):
    table = build({key: None})

    assert table.empty
    assert len(to_markdown(table).splitlines()) == 2
    assert r"\bottomrule" in to_latex(table)


def test_rendered_tables_survive_a_round_trip_through_csv(tmp_path):
    table_4(COPULAS).to_csv(tmp_path / "table.csv", index=False)
    read = pd.read_csv(tmp_path / "table.csv")

    assert "BB1 (Clayton-Gumbel)" in to_markdown(read)
    assert "BB1 (Clayton-Gumbel)" in to_latex(read)


def test_parameters_have_errors_or_intervals_where_the_data_hardly_tell_them_apart():
    winner = {"standard_errors": {"delta": 0.0279, "kappa": 0.669}}
    pair = {
        "x": "sphericity", "y": "convexity", "candidates": [winner],
        "best": {"family": "bb8", "parameters": [4.9238, 0.96426], "rotation": 180,
                 "parameter_order": ["kappa", "delta"]},
        "intervals": {"kappa": {"low": 3.35, "high": 6.63}, "delta": {"low": 0.88, "high": 0.99}},
    }  # fmt: skip
    text = table_4({"pairs": [pair]}).loc[0, "parameters"]
    assert text == "κ = 4.924 ± 0.669, δ = 0.9643 ± 0.0279"
    weak = {**pair, "is_weakly_identified": True}
    text = table_4({"pairs": [weak]}).loc[0, "parameters"]
    assert text == "κ = 4.924 (3.35 to 6.63), δ = 0.9643 (0.88 to 0.99)"


def test_latex_has_symbols_a_caption_and_a_label():
    table = pd.DataFrame({"parameters": ["σ₂ = 1.0 ± 0.2, p ≤ 0.01"]})
    latex = to_latex(table, "50 % of µ", "tab:a")
    assert r"$\sigma_2$ = 1.0 $\pm$ 0.2, p $\leq$ 0.01" in latex
    assert latex.splitlines()[:3] == [
        r"\begin{table}", r"\caption{50 \% of $\mu$}", r"\label{tab:a}"
    ]  # fmt: skip
    assert latex.endswith("\\end{tabular}\n\\end{table}\n")


def test_latex_escapes_what_latex_would_obey():
    latex = to_latex(pd.DataFrame({"reason": [r"50 % of x_1 & \input{a} #1 ~ ^ $"]}))

    body = latex.splitlines()[4]
    assert body == (
        r"50 \% of x\_1 \& \textbackslash{}input\{a\} \#1 \textasciitilde{} "
        r"\textasciicircum{} \$ \\"
    )


def test_markdown_keeps_foreign_text_inside_its_cell():
    lines = to_markdown(pd.DataFrame({"reason": ["a | b\nc <i>"]})).splitlines()

    assert lines[2] == r"| a \| b c &lt;i&gt; |"
    assert len(lines) == 3


def test_parameters_come_in_the_order_of_the_paper_though_files_sort_them():
    best = {
        "family": "inverse_gaussian",
        "parameters": {"lambda": 4600, "mu": 513.8},
        "parameter_order": ["mu", "lambda"],
    }
    fits = {"characteristics": {"d": {"best": "inverse_gaussian", "candidates": [best]}}}
    assert table_1(fits).loc[0, "parameters"] == "μ = 513.8, λ = 4600"


def test_every_family_has_a_name_for_readers():
    families = [*MARGINAL_FAMILIES, *COPULA_FAMILIES, "a_family_of_a_user"]
    names = [name for (name,) in display_rows(pd.DataFrame({"family": families}))]
    assert not [name for name in names if "_" in name]


def test_a_tiny_p_value_is_a_bound_and_other_tiny_numbers_are_not():
    table = pd.DataFrame({"independence_p_value": [6.4e-60, 0.0307, None], "x": [6.4e-60, 1, 2]})
    assert display_rows(table) == [["< 0.001", "6.4e-60"], ["0.0307", "1"], ["-", "2"]]


def test_parameters_of_mixtures_stand_with_intervals_by_bootstrap():
    names = ("mu1", "mu2", "sigma1", "sigma2", "lambda")
    best = {
        "family": "normal_mixture",
        "parameters": dict(zip(names, (0.6, 0.8, 0.05, 0.04, 0.25), strict=True)),
        "standard_errors": dict.fromkeys(names, 0.01),
    }
    ends = {name: {"low": 0.1, "high": 0.9} for name in names}
    fits = {
        "best": "normal_mixture",
        "candidates": [best],
        "goodness_of_fit": {"p_values": {}, "replicates": 99, "bootstrap_intervals": ends},
    }
    two = [{"share": 0.25, "mean": 0.6, "std": 0.05}, {"share": 0.75, "mean": 0.8, "std": 0.04}]
    for populations, text in ((two, "μ₁ = 0.6 (0.1 to 0.9)"), ([], "μ₁ = 0.6000 ± 0.0100")):
        given = {"characteristics": {"sphericity": {**fits, "populations": populations}}}
        assert table_1(given).loc[0, "parameters"].startswith(text)
