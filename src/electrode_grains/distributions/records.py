"""What the fits of a sample leave behind: values that a JSON file keeps and gives back.

`fit_characteristic`, `fit_pair` and their neighbours make them. An end of a support that is
open, and an error that does not hold, are null in the file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

import electrode_grains.distributions as distributions  # loads models where they are built
from electrode_grains.distributions.results import Fit, Outcome

if TYPE_CHECKING:
    from electrode_grains.distributions.copulas import BivariateCopula
    from electrode_grains.distributions.marginals import Marginal
    from electrode_grains.distributions.smooth_marginals import SmoothMarginal

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
SUPPORTED = 10.0
EVERYWHERE = (-math.inf, math.inf)


def _open_ends(value: Any) -> Any:
    """Ends of a support as JSON keeps them: an open one is null."""
    if value is None:
        return None
    low, high = value
    return -math.inf if low is None else low, math.inf if high is None else high


class Record(BaseModel):
    """Base of all records: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return self.model_dump()

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Record from what `to_dict` returned, or a file kept of it."""
        return cls.model_validate(content)


class Interval(Record):
    """An interval of 95 %."""

    low: float
    high: float


class Candidate(Record):
    """One family that competed.

    Attributes
    ----------
    family, outcome, reason, parameter_count, log_likelihood
        As in `Fit`.
    aic, aicc, bic, delta_aic : float or None
        Criteria and the distance from the best AIC; None where the fit may not compete.
    akaike_weight : float
        Over all candidates of the subject.
    """

    family: str
    outcome: Outcome
    reason: str
    parameter_count: int
    log_likelihood: Number
    aic: float | None
    aicc: float | None
    bic: float | None
    delta_aic: float | None
    akaike_weight: float

    @property
    def is_supported(self) -> bool:
        """Whether it lies within ten units of the best AIC."""
        return self.delta_aic is not None and self.delta_aic <= SUPPORTED

    @staticmethod
    def criteria_of(fit: Fit[Any], least_aic: float, weight: float) -> dict[str, Any]:
        """Fields that candidates of all kinds share."""
        ranked = fit.is_ranked
        return {
            "family": fit.family,
            "outcome": fit.outcome,
            "reason": fit.reason,
            "parameter_count": fit.parameter_count,
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic if ranked else None,
            "aicc": fit.aicc if ranked else None,
            "bic": fit.bic if ranked else None,
            "delta_aic": fit.aic - least_aic if ranked else None,
            "akaike_weight": weight,
        }


class MarginalCandidate(Candidate):
    """A marginal family that competed.

    Attributes
    ----------
    parameters, standard_errors : dict of str to float
        Empty without a model.
    parameter_order : list of str
        Names in the paper's order, since JSON files sort their keys.
    mean, std : float or None
        Of the fitted distribution, in the unit of the characteristic.
    """

    parameters: dict[str, float]
    parameter_order: list[str]
    standard_errors: dict[str, Number]
    mean: float | None
    std: float | None


class GoodnessOfFit(Record):
    """Distances of a sample from a distribution, and how often chance makes them as large.

    Attributes
    ----------
    statistics, p_values : dict of str to float
        By `kolmogorov_smirnov`, `anderson_darling` and `cramer_von_mises`.
    combined_p_value : float
        Of the smallest of the three, as one test.
    replicates : int
        Bootstrap samples that the p-values rest on; none is below 1 / (replicates + 1).
    bootstrap_errors : dict of str to float
        Standard deviations of the refitted parameters: standard errors that hold where the
        observed information does not, as at the end of a range.
    bootstrap_intervals : dict of str to Interval
        Between which 95 % of the refitted parameters lie; of mixtures they go before standard
        errors, which are too small where the populations overlap.
    """

    statistics: dict[str, Number]
    p_values: dict[str, Number]
    combined_p_value: Number = math.nan
    replicates: int
    bootstrap_errors: dict[str, Number] = {}
    bootstrap_intervals: dict[str, Interval] = {}


class Population(Record):
    """One component of a mixture: grains of a kind.

    Attributes
    ----------
    share : float
        Of the grains.
    mean, std : float
        Of the component, inside the support.
    means : dict of str to float
        Of other columns, over the grains weighted by the probability that they belong to it.
    """

    share: float
    mean: float
    std: float
    means: dict[str, Number] = {}


class Rounding(Record):
    """The grid that a sample lies on.

    Attributes
    ----------
    step : float
        Of the values to the power.
    power : int
        1 for rounded values, 3 for diameters of counted voxels.
    ties : float
        Share of the sample that equals another value.
    """

    step: float
    power: int
    ties: float


class SmoothFit(Record):
    """A spline that follows the sample, where the best family is rejected.

    Attributes
    ----------
    scale, support, knots, log_density
        Arguments of `SmoothMarginal`.
    parameter_count : int
        Knots less one.
    log_likelihood, aic : float
        In the unit of the candidates.
    delta_aic : float or None
        Against the best family; negative where the spline is better.
    """

    scale: Literal["logit", "log", "identity"]
    support: tuple[Number, Number]
    knots: tuple[float, ...]
    log_density: tuple[float, ...]
    parameter_count: int
    log_likelihood: float
    aic: float
    delta_aic: float | None = None

    _ends = field_validator("support", mode="before")(_open_ends)

    def distribution(self) -> SmoothMarginal:
        """Fitted distribution."""
        return distributions.SmoothMarginal(self.scale, self.support, self.knots, self.log_density)


class MarginalFit(Record):
    """All families fitted to one characteristic, the best of them tested.

    Attributes
    ----------
    unit : str
        Of the characteristic, "1" for a number.
    sample_size : int
        Values inside the support.
    mean, std : float or None
        Of the sample.
    support : (float, float) or None
        Range that every candidate is truncated to.
    excluded_count, excluded_reason, excluded_labels
        Values left out of all fits alike, and the grains that they belong to.
    best : str or None
        Family of least AIC, None where none could be fitted.
    candidates : list of MarginalCandidate
        Best first.
    undecided : list of str
        Other families within two units of AIC, between which and the best the sample does
        not decide.
    goodness_of_fit : GoodnessOfFit or None
        Of the best family.
    selection_frequencies : dict of str to float
        How often families win among samples drawn from the best one.
    populations : list of Population
        Components, where the best family is a mixture.
    rounding : Rounding or None
        Where the sample lies on a grid.
    smooth : SmoothFit or None
        Density for joint models, where the best family is rejected.
    """

    unit: str = "1"
    sample_size: int
    mean: float | None
    std: float | None
    support: tuple[float, float] | None
    excluded_count: int
    excluded_reason: str
    excluded_labels: list[int]
    best: str | None
    candidates: list[MarginalCandidate]
    undecided: list[str] = []
    goodness_of_fit: GoodnessOfFit | None = None
    selection_frequencies: dict[str, float] = {}
    populations: list[Population] = []
    rounding: Rounding | None = None
    smooth: SmoothFit | None = None

    _ends = field_validator("support", mode="before")(_open_ends)

    @property
    def interval(self) -> tuple[float, float]:
        """Support, or the whole line."""
        return self.support or EVERYWHERE

    def joint_distribution(self) -> Marginal | SmoothMarginal:
        """What joint models and virtual grains rest on: the best family, or the spline."""
        return self.distribution() if self.smooth is None else self.smooth.distribution()

    def distribution(self, family: str | None = None) -> Marginal:
        """Fitted distribution of a candidate, by default of the best family."""
        wanted = family or self.best
        row = next(row for row in self.candidates if row.family == wanted)
        return distributions.Marginal(row.family, row.parameters, support=self.support)


class AxisUniformity(Record):
    """Tests of the hypothesis that all axes are equally likely.

    Attributes
    ----------
    sample_size : int
        Axes.
    bingham, bingham_p_value : float
        Anisotropy of the orientation tensor, against chi-squared with 5 degrees of freedom.
    rayleigh, rayleigh_p_value : float
        Bipolar Rayleigh statistic of the azimuth, 2 n R^2 of doubled angles, against
        chi-squared with 2 degrees of freedom.
    """

    sample_size: int
    bingham: float
    bingham_p_value: float
    rayleigh: float
    rayleigh_p_value: float


class MarginalFits(Record):
    """Fits of all characteristics of a sample of grains, by name of the characteristic."""

    characteristics: dict[str, MarginalFit]
    axis_uniformity: AxisUniformity | None = None


class CopulaChoice(Record):
    """A copula in plain values; `parameter_order` names its parameters."""

    family: str
    rotation: int
    parameters: list[float]
    parameter_order: list[str] = []

    @classmethod
    def of(cls, copula: BivariateCopula) -> Self:
        """Plain values of a copula."""
        declared = distributions.copula_family_named(copula.family).parameters
        return cls(
            family=copula.family,
            rotation=copula.rotation,
            parameters=list(copula.parameters),
            parameter_order=[parameter.name for parameter in declared],
        )

    def copula(self) -> BivariateCopula:
        """The copula itself."""
        return distributions.BivariateCopula(
            self.family, tuple(self.parameters), rotation=self.rotation
        )


class CopulaCandidate(Candidate):
    """A copula family in one rotation that competed; `parameters` are empty without a model."""

    rotation: int
    parameters: list[float]
    standard_errors: dict[str, Number]

    def copula(self) -> BivariateCopula:
        """The fitted copula."""
        return distributions.BivariateCopula(
            self.family, tuple(self.parameters), rotation=self.rotation
        )


class CopulaGoodness(Record):
    """Distance of a pair from a family of copulas, and how often chance makes it as large.

    Attributes
    ----------
    cramer_von_mises, p_value : float
        Of the Rosenblatt transform; NaN where the family cannot be fitted.
    replicates : int
        Bootstrap samples that the p-value rests on.
    bootstrap_errors : dict of str to float
        Standard deviations of the parameters over the bootstrap samples.
    """

    cramer_von_mises: Number
    p_value: Number
    replicates: int
    bootstrap_errors: dict[str, Number] = {}


class RankCheck(Record):
    """What the ranks of a pair say, which no misfit of a marginal reaches.

    Attributes
    ----------
    tie_share_x, tie_share_y : float
        Shares of the values that equal another one.
    ties : str
        How they were ranked.
    best : CopulaChoice or None
        Copula that the ranks choose.
    delta_aic : float or None
        What the family of the fitted marginals gives away on the ranks.
    """

    tie_share_x: float
    tie_share_y: float
    ties: str
    best: CopulaChoice | None
    delta_aic: float | None


class CredibleRegion(Record):
    """Smallest region of a probability: its density level, and the share of the sample inside."""

    probability: float
    level: float
    sample_share: float


class PairFit(Record):
    """All copulas fitted to a pair of characteristics, the best of them tested.

    Attributes
    ----------
    x, y : str
        The characteristics.
    sample_size, excluded_count : int
        Grains inside both supports, and those that are not.
    pearson_r, kendall_tau, spearman_rho : float or None
        Of the sample.
    independence_p_value : float or None
        Of Kendall's tau, where the characteristics are independent.
    fitted_correlation, fitted_kendall_tau, fitted_spearman_rho : float or None
        Of the fitted density.
    credible_regions : list of CredibleRegion
    best : CopulaChoice or None
    candidates : list of CopulaCandidate
        Best first.
    undecided : list of str
        Other families within two units of AIC, with their rotations.
    intervals : dict of str to Interval
        Of the parameters, `kendall_tau`, `lower_tail` and `upper_tail` of the best copula, by
        the profile of its likelihood, for fitted marginals.
    is_weakly_identified : bool
        Whether the parameters move together along a ridge of the likelihood, so that their
        intervals are a set of values that do equally well and tau is what is known.
    selection_frequencies : dict of str to float
        How often families win among samples drawn from the best one.
    goodness_of_fit : CopulaGoodness or None
        Of the best family, on the ranks.
    pseudo_observations : RankCheck or None
    """

    x: str = ""
    y: str = ""
    sample_size: int
    excluded_count: int
    pearson_r: float | None
    kendall_tau: float | None
    spearman_rho: float | None
    independence_p_value: float | None = None
    fitted_correlation: float | None
    fitted_kendall_tau: float | None
    fitted_spearman_rho: float | None
    credible_regions: list[CredibleRegion]
    best: CopulaChoice | None
    candidates: list[CopulaCandidate]
    undecided: list[str] = []
    intervals: dict[str, Interval] = {}
    is_weakly_identified: bool = False
    selection_frequencies: dict[str, float] = {}
    goodness_of_fit: CopulaGoodness | None = None
    pseudo_observations: RankCheck | None = None


class CopulaFits(Record):
    """Fits of all pairs that were modelled."""

    pairs: list[PairFit]


class Moments(Record):
    """Mean, standard deviation and quantiles by probability."""

    mean: float
    std: float
    quantiles: dict[str, float]


class DerivedQuantity(Record):
    """A function of two characteristics: as the grains have it, and as the fit implies it.

    Attributes
    ----------
    of : list of str
        The characteristics.
    copula : str
        Family that the joint density has.
    sample_size : int
    empirical, fitted : Moments
        None where there are too few grains.
    kolmogorov_smirnov : float or None
        Largest distance of the distribution functions.
    """

    of: list[str] = []
    copula: str
    sample_size: int
    empirical: Moments | None
    fitted: Moments
    kolmogorov_smirnov: float | None


class DerivedDistributions(Record):
    """Derived quantities, None where a marginal or the copula could not be fitted."""

    specific_surface_area_per_um: DerivedQuantity | None


class DependenceScore(Record):
    """How well a model of the dependence of all characteristics does."""

    log_likelihood: float
    parameter_count: int
    aic: float
    energy_distance: float


class DependenceComparison(Record):
    """Models of the dependence of all characteristics, or the reason why none was fitted.

    Attributes
    ----------
    characteristics : list of str
    sample_size : int
    models : dict of str to DependenceScore
        Log-likelihood, parameters and AIC over all grains; `energy_distance` between
        held-out grains and the model fitted to the others, mean of both halves, in the space
        of characteristics over their standard deviation.
    energy_of_halves : float
        The same distance between the halves themselves.
    vine_structure : list of str or None
        None without pyvinecopulib.
    reason : str
        Why `models` is empty.
    """

    characteristics: list[str] = []
    sample_size: int
    models: dict[str, DependenceScore] = {}
    energy_of_halves: float | None = None
    vine_structure: list[str] | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, those that there are."""
        return self.model_dump(exclude_unset=True)


class SampleDifference(Record):
    """Whether two samples differ in one characteristic, or in the dependence of one pair.

    Attributes
    ----------
    subject : str
    kind : str
        "marginal" or "dependence".
    sample_size_first, sample_size_second : int
    value_first, value_second : float
        Means, or Kendall's tau.
    energy_distance, p_value, adjusted_p_value : float
        Distance, its p-value by permutation, and Holm's over all subjects.
    effect_name : str
    effect, effect_low, effect_high : float
        With its interval of 95 %.
    """

    subject: str
    kind: str
    sample_size_first: int
    sample_size_second: int
    value_first: float
    value_second: float
    energy_distance: float
    p_value: float
    effect_name: str
    effect: float
    effect_low: float
    effect_high: float
    adjusted_p_value: float = math.nan
