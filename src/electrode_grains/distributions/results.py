"""What a fit returns, and how candidates are ranked by Akaike's criterion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError

Model = TypeVar("Model")

Outcome = Literal["converged", "at_bound", "degenerate", "inadmissible", "insufficient", "failed"]
# Units of AIC within which a sample does not decide (Burnham and Anderson, 2002).
UNDECIDED = 2.0
RANKED_OUTCOMES: tuple[Outcome, ...] = ("converged", "at_bound")


@dataclass(frozen=True, kw_only=True, repr=False)
class Fit(Generic[Model]):
    """A maximum likelihood fit of one family.

    Attributes
    ----------
    family : str
        Name in the registry of families.
    outcome : str
        `converged` or `at_bound` (a parameter sits at the end of its range) may be
        ranked; `degenerate`, `inadmissible`, `insufficient` and `failed` may not.
    sample_size, parameter_count : int
        Observations used and free parameters.
    model : Marginal or BivariateCopula or None
        The fitted model, None where there is none.
    log_likelihood : float
        In nats, NaN where there is no model.
    reason : str
        Why the outcome is not `converged`, and how many values were left out.
    excluded_count : int
        Observations outside the support of the family, which were left out.
    standard_errors : mapping of str to float or None
        By parameter, from the observed information; NaN where it does not hold (a
        parameter at the end of its range, a flat or kinked likelihood).
    covariance : ndarray of float, shape (k, k), or None
        Of the parameters in the paper's order, from the same information.
    """

    family: str
    outcome: Outcome
    sample_size: int
    parameter_count: int
    model: Model | None = None
    log_likelihood: float = math.nan
    reason: str = ""
    excluded_count: int = 0
    standard_errors: Mapping[str, float] | None = None
    covariance: NDArray[np.float64] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        if self.model is None:
            return f"<{self.family}: {self.outcome}, {self.reason}>"
        errors = self.standard_errors or {}
        parameters = ", ".join(
            f"{name} = {value:.4g} ± {errors.get(name, math.nan):.2g}"
            for name, value in self.parameters_by_name.items()
        )
        rotation = getattr(self.model, "rotation", 0)
        turned = f" rotated by {rotation} degrees" if rotation else ""
        reason = f" ({self.reason})" if self.reason else ""
        return (
            f"<{self.family}{turned}: {parameters or 'no parameters'}; "
            f"AIC {self.aic:.2f}, n = {self.sample_size}, {self.outcome}{reason}>"
        )

    @property
    def parameters_by_name(self) -> dict[str, float]:
        """Parameters by name, of marginals and copulas alike; empty without a model."""
        given: Any = self.parameters
        if isinstance(given, Mapping):
            return dict(given)
        return dict(zip(self.standard_errors or {}, given or (), strict=False))

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Intervals of the parameters from their standard errors.

        Parameters
        ----------
        level : float
            Coverage, in (0, 1).

        Returns
        -------
        dict of str to (float, float)
            NaN where a standard error does not hold. Those of parameters along a ridge are
            too narrow: see `likelihood_intervals`.
        """
        z = NormalDist().inv_cdf(0.5 + 0.5 * level)
        errors = self.standard_errors or {}
        return {
            name: (value - z * errors[name], value + z * errors[name])
            for name, value in self.parameters_by_name.items()
        }

    def interval_of(
        self, function: Callable[[Any], float], level: float = 0.95
    ) -> tuple[float, float]:
        """Interval of a quantity of the model, such as its mean or a quantile.

        Parameters
        ----------
        function : callable (model) -> float
            Such as ``lambda model: model.quantile(0.9)``.
        level : float
            Coverage, in (0, 1).

        Returns
        -------
        (float, float)
            By the delta method; NaN without a covariance.

        Raises
        ------
        ComputationError
            If there is no model.
        """
        model: Any = self.model
        if model is None:
            raise ComputationError("a fit without a model has no quantities", found=self.reason)
        names = list(self.parameters_by_name)
        values = np.array(list(self.parameters_by_name.values()))
        is_mapping = isinstance(self.parameters, Mapping)

        def at(point: NDArray[np.float64]) -> float:
            given = dict(zip(names, point, strict=True)) if is_mapping else tuple(point)
            return float(function(replace(model, parameters=given)))

        errors = np.array([(self.standard_errors or {})[name] for name in names])
        middle = float(function(model))
        if self.covariance is None or not np.isfinite(errors).all():
            return math.nan, math.nan
        steps = 1e-3 * errors
        slopes = np.array(
            [
                (at(values + unit) - at(values - unit)) / (2 * step)
                for unit, step in zip(np.diag(steps), steps, strict=True)
            ]
        )
        z = NormalDist().inv_cdf(0.5 + 0.5 * level)
        reach = z * math.sqrt(max(float(slopes @ self.covariance @ slopes), 0.0))
        return middle - reach, middle + reach

    @property
    def parameters(self) -> object:
        """Parameters of the model in the paper's names and order, None without a model."""
        return getattr(self.model, "parameters", None)

    @property
    def is_ranked(self) -> bool:
        """Whether the fit may compete by AIC."""
        return self.outcome in RANKED_OUTCOMES and math.isfinite(self.log_likelihood)

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2k - 2 log L."""
        return 2.0 * self.parameter_count - 2.0 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC corrected for small samples; NaN where n <= k + 1."""
        spare = self.sample_size - self.parameter_count - 1
        if spare <= 0:
            return math.nan
        return self.aic + 2.0 * self.parameter_count * (self.parameter_count + 1) / spare

    @property
    def bic(self) -> float:
        """Bayesian information criterion, k log n - 2 log L."""
        return self.parameter_count * math.log(self.sample_size) - 2.0 * self.log_likelihood


def rank_by_aic(fits: Iterable[Fit[Model]]) -> list[Fit[Model]]:
    """Order fits by AIC; those that may not compete follow in the order given."""
    fits = list(fits)
    ranked = sorted((fit for fit in fits if fit.is_ranked), key=lambda fit: fit.aic)
    return ranked + [fit for fit in fits if not fit.is_ranked]


def winner(fits: Sequence[Fit[Model]]) -> Fit[Model] | None:
    """First of ranked fits, None where none may be ranked."""
    return fits[0] if fits and fits[0].is_ranked else None


def least_aic(fits: Sequence[Fit[Model]]) -> float:
    """AIC of the best fit that may be ranked, NaN without one."""
    return min((fit.aic for fit in fits if fit.is_ranked), default=math.nan)


def undecided(fits: Sequence[Fit[Model]]) -> list[Fit[Model]]:
    """Fits behind the best one by no more than two units of AIC."""
    least = least_aic(fits)
    return [fit for fit in fits[1:] if fit.is_ranked and fit.aic - least <= UNDECIDED]


def best_fit(candidates: Sequence[Fit[Model]]) -> Fit[Model]:
    """Return the ranked fit of least AIC.

    Raises
    ------
    ComputationError
        If no candidate may be ranked; the reasons of all are named.
    """
    ranked = rank_by_aic(candidates)
    if not ranked or not ranked[0].is_ranked:
        reasons = "; ".join(f"{fit.family}: {fit.outcome} ({fit.reason})" for fit in ranked)
        raise ComputationError("no family could be fitted", found=reasons or "no candidates")
    return ranked[0]


def akaike_weights(fits: Sequence[Fit[Model]]) -> list[float]:
    """Akaike weights of the fits, 0 for those that are not ranked.

    Examples
    --------
    >>> pair = [Fit(family=name, outcome="converged", sample_size=50, parameter_count=1,
    ...             log_likelihood=ll) for name, ll in (("a", -10.0), ("b", -11.0))]
    >>> [round(weight, 4) for weight in akaike_weights(pair)]
    [0.7311, 0.2689]
    """
    least = least_aic(fits)
    raw = [math.exp((least - fit.aic) / 2.0) if fit.is_ranked else 0.0 for fit in fits]
    total = sum(raw)
    return [weight / total if total else 0.0 for weight in raw]
