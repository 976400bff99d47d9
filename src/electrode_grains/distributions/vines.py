"""All shape characteristics jointly: a vine copula against simpler dependence.

Three models stand on the same fitted marginals: a Gaussian copula; a tree of the strongest
fitted pairs, with everything else conditionally independent; and a regular vine, which
pyvinecopulib fits where it is installed (the extra `vines`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import kendalltau

from electrode_grains.distributions.copula_fitting import MINIMUM_SAMPLE, select_copula
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.energy import energy_distance
from electrode_grains.distributions.marginal_fitting import inside_support
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.records import (
    DependenceComparison,
    DependenceScore,
    MarginalFit,
)
from electrode_grains.distributions.results import best_fit
from electrode_grains.distributions.smooth_marginals import SmoothMarginal

Array = NDArray[np.float64]
VINE_FAMILIES = ("indep", "gaussian", "student", "clayton", "gumbel", "frank", "joe", "bb1", "bb8")
DRAWN = 2000  # pairs of a model that held-out grains are compared with


class DependenceModel(Protocol):
    """A copula of several characteristics."""

    def log_likelihood(self, u: Array) -> float:
        """Sum of log-densities at u, shape (n, k)."""

    @property
    def parameter_count(self) -> int:
        """Free parameters."""

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Points of shape (n, k)."""


@dataclass(frozen=True)
class GaussianDependence:
    """Gaussian copula with the correlation of normal scores."""

    correlation: Array

    @classmethod
    def fit(cls, u: Array) -> GaussianDependence:
        """Correlate the normal scores of u, shape (n, k)."""
        return cls(np.corrcoef(ndtri(u).T))

    @property
    def parameter_count(self) -> int:
        """One correlation a pair."""
        return len(self.correlation) * (len(self.correlation) - 1) // 2

    def log_likelihood(self, u: Array) -> float:
        """Sum of log-densities."""
        scores = ndtri(u)
        inner = np.linalg.inv(self.correlation) - np.eye(len(self.correlation))
        quadratic = float(np.einsum("ni,ij,nj->", scores, inner, scores))
        return -0.5 * (len(u) * float(np.linalg.slogdet(self.correlation)[1]) + quadratic)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points."""
        factor = np.linalg.cholesky(self.correlation)
        return np.asarray(ndtr(rng.standard_normal((n, len(factor))) @ factor.T))


@dataclass(frozen=True)
class PairTree:
    """Fitted copulas of a tree of pairs; other pairs depend through the tree alone.

    Attributes
    ----------
    edges : sequence of (int, int, BivariateCopula)
        From a characteristic already reached to a new one, the root being the first's.
    """

    edges: Sequence[tuple[int, int, BivariateCopula]]

    @classmethod
    def fit(cls, u: Array, families: Sequence[str], rotations: Sequence[int]) -> PairTree:
        """Span the characteristics by the pairs of largest |Kendall's tau|, and fit those."""
        size = u.shape[1]
        tau = np.array(
            [
                [abs(kendalltau(u[:, i], u[:, j]).statistic) for j in range(size)]
                for i in range(size)
            ]
        )
        reached, edges = [0], []
        while len(reached) < size:
            fresh = [j for j in range(size) if j not in reached]
            i, j = max(((i, j) for i in reached for j in fresh), key=lambda edge: tau[edge])
            fitted = best_fit(select_copula(u[:, i], u[:, j], families, rotations))
            assert fitted.model is not None
            edges.append((i, j, fitted.model))
            reached.append(j)
        return cls(edges)

    @property
    def parameter_count(self) -> int:
        """Those of all pairs."""
        return sum(len(copula.parameters) for _, _, copula in self.edges)

    def log_likelihood(self, u: Array) -> float:
        """Sum of log-densities."""
        return sum(float(copula.log_pdf(u[:, i], u[:, j]).sum()) for i, j, copula in self.edges)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points, along the tree."""
        u = rng.random((n, len(self.edges) + 1))
        for i, j, copula in self.edges:
            u[:, j] = copula.inverse_conditional_v_given_u(u[:, i], u[:, j])
        return u


@dataclass(frozen=True)
class VineDependence:
    """Regular vine of pyvinecopulib, families by AIC."""

    vine: Any

    @classmethod
    def fit(cls, u: Array) -> VineDependence:
        """Choose structure, families and parameters."""
        import pyvinecopulib

        families = [getattr(pyvinecopulib.BicopFamily, name) for name in VINE_FAMILIES]
        controls = pyvinecopulib.FitControlsVinecop(
            family_set=families, preselect_families=False, num_threads=1
        )
        return cls(pyvinecopulib.Vinecop.from_data(np.asfortranarray(u), controls=controls))

    @property
    def parameter_count(self) -> int:
        """Those of all pair copulas."""
        return round(float(self.vine.npars))

    def log_likelihood(self, u: Array) -> float:
        """Sum of log-densities."""
        return float(np.log(self.vine.pdf(np.asfortranarray(u))).sum())

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points by the inverse Rosenblatt transform."""
        uniform = np.asfortranarray(rng.random((n, self.vine.dim)))
        return np.asarray(self.vine.inverse_rosenblatt(uniform), float)

    def structure(self) -> list[str]:
        """Pair copulas in words, tree by tree."""
        return [line.strip() for line in str(self.vine).splitlines() if line.strip()]


def compare_dependence(
    values: Array,
    marginals: Sequence[Marginal | SmoothMarginal],
    families: Sequence[str],
    rotations: Sequence[int],
    rng: np.random.Generator,
) -> DependenceComparison:
    """Compare models of the dependence of several characteristics.

    Parameters
    ----------
    values : ndarray of float, shape (n, k)
        Grains inside the supports of all marginals.
    marginals : sequence of Marginal or SmoothMarginal
        Fitted to the columns, the same for all models.
    families, rotations : sequences
        Candidates of the pairs of the tree.
    rng : Generator
        Splits the grains in two halves and draws from the models.

    Returns
    -------
    DependenceComparison
        Of a Gaussian copula, a tree of pairs, and a vine where pyvinecopulib is installed.
    """
    edge = 1e-9
    u = np.column_stack(
        [
            np.clip(distribution.cdf(column), edge, 1 - edge)
            for distribution, column in zip(marginals, values.T, strict=True)
        ]
    )
    fits: dict[str, Any] = {
        "gaussian": GaussianDependence.fit,
        "pairwise": lambda part: PairTree.fit(part, families, rotations),
    }
    if find_spec("pyvinecopulib") is not None:
        fits["vine"] = VineDependence.fit
    models: Mapping[str, DependenceModel] = {name: fit(u) for name, fit in fits.items()}
    order = rng.permutation(len(u))
    halves = order[: len(u) // 2], order[len(u) // 2 :]
    scale = values.std(axis=0)

    def distance(fit: Any, known: NDArray[np.int64], unseen: NDArray[np.int64]) -> float:
        drawn = fit(u[known]).sample(DRAWN, rng)
        pairs = zip(marginals, np.clip(drawn, edge, 1 - edge).T, strict=True)
        points = np.column_stack([distribution.quantile(column) for distribution, column in pairs])
        return energy_distance(values[unseen] / scale, points / scale)

    vine = models.get("vine")
    scores = {}
    for name, model in models.items():
        likelihood = model.log_likelihood(u)
        scores[name] = DependenceScore(
            log_likelihood=likelihood,
            parameter_count=model.parameter_count,
            aic=2 * model.parameter_count - 2 * likelihood,
            energy_distance=float(
                np.mean([distance(fits[name], *halves), distance(fits[name], *halves[::-1])])
            ),
        )
    return DependenceComparison(
        sample_size=len(u),
        models=scores,
        energy_of_halves=energy_distance(*(values[half] / scale for half in halves)),
        vine_structure=vine.structure() if isinstance(vine, VineDependence) else None,
    )


def compare_joint_models(
    sample: pd.DataFrame,
    marginal_fits: Mapping[str, MarginalFit],
    families: Sequence[str],
    rotations: Sequence[int],
    rng: np.random.Generator,
) -> DependenceComparison:
    """Compare models of the dependence of the columns of a sample, where they can be fitted.

    Parameters
    ----------
    sample : DataFrame
        One row per grain, one column per characteristic.
    marginal_fits : mapping of str to MarginalFit
        By characteristic; grains outside a support are left out.
    families, rotations, rng
        As `compare_dependence` takes them.

    Returns
    -------
    DependenceComparison
        `models` is empty, with a `reason`, where a marginal is missing or either half would
        be too small to fit.
    """
    names = list(sample.columns)
    kept = sample[np.isfinite(sample).all(axis=1)]
    for name in names:
        kept = kept[inside_support(kept[name].to_numpy(), marginal_fits[name].interval)]
    missing = [name for name in names if marginal_fits[name].best is None]
    reason = ""
    if missing:
        reason = f"no marginal was fitted to {', '.join(missing)}"
    elif len(kept) < 2 * MINIMUM_SAMPLE:
        reason = f"{len(kept)} grains, at least {2 * MINIMUM_SAMPLE} are needed"
    if reason:
        return DependenceComparison(
            characteristics=names, sample_size=len(kept), models={}, reason=reason
        )
    marginals = [marginal_fits[name].joint_distribution() for name in names]
    compared = compare_dependence(kept.to_numpy(float), marginals, families, rotations, rng)
    return compared.model_copy(update={"characteristics": names})
