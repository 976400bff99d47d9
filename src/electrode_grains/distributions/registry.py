"""The registries of families of marginals and copulas, which users may add to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from electrode_grains.distributions.copula_families_bb import TWO_PARAMETER_FAMILIES
from electrode_grains.distributions.copula_families_simple import ONE_PARAMETER_FAMILIES
from electrode_grains.distributions.families_bounded import ANGULAR_FAMILIES, UNIT_FAMILIES
from electrode_grains.distributions.families_positive import POSITIVE_FAMILIES
from electrode_grains.distributions.families_real import REAL_FAMILIES
from electrode_grains.distributions.family_declaration import CopulaFamily, MarginalFamily
from electrode_grains.distributions.mixtures import of_families
from electrode_grains.errors import SettingsError

_SIMPLE = (*POSITIVE_FAMILIES, *REAL_FAMILIES, *UNIT_FAMILIES, *ANGULAR_FAMILIES)
_MARGINALS: dict[str, MarginalFamily] = {
    family.name: family for family in (*_SIMPLE, *of_families(_SIMPLE))
}
_COPULAS: dict[str, CopulaFamily] = {
    family.name: family for family in (*ONE_PARAMETER_FAMILIES, *TWO_PARAMETER_FAMILIES)
}
MARGINAL_FAMILIES: Mapping[str, MarginalFamily] = MappingProxyType(_MARGINALS)
"""Marginal families by name."""
COPULA_FAMILIES: Mapping[str, CopulaFamily] = MappingProxyType(_COPULAS)
"""Copula families by name."""
Family = TypeVar("Family", MarginalFamily, CopulaFamily)
_BUILT_IN = dict(_MARGINALS), dict(_COPULAS)


def register_family(family: Family, *, replace: bool = False) -> Family:
    """Add a family to its registry, from where fits, tables and settings know it by name.

    Parameters
    ----------
    family : MarginalFamily or CopulaFamily
        The declaration; special cases that it names must be registered already.
    replace : bool
        Whether a family of that name may be replaced.

    Returns
    -------
    MarginalFamily or CopulaFamily
        The same declaration.

    Raises
    ------
    SettingsError
        If the name is taken or is no identifier, parameters share a name, or a special case
        is unknown.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> from electrode_grains.distributions import MarginalFamily, Parameter, Marginal
    >>> triangle = MarginalFamily(
    ...     name="rising_triangle",
    ...     parameters=(Parameter("k", "scale"),),
    ...     natural_support=(0.0, math.inf),
    ...     log_density=lambda x, k: np.where(x < k, np.log(2 * x / k**2), -np.inf),
    ...     tails=lambda x, k: (np.minimum(x / k, 1) ** 2, 1 - np.minimum(x / k, 1) ** 2),
    ...     quantile=lambda p, q, k: k * np.sqrt(p),
    ...     end_points=lambda k: (0.0, k),
    ... )
    >>> _ = register_family(triangle)
    >>> round(Marginal("rising_triangle", {"k": 3.0}).mean(), 6)
    2.0
    >>> unregister_family("rising_triangle")
    """
    registry: dict[str, Any] = _MARGINALS if isinstance(family, MarginalFamily) else _COPULAS
    if not family.name.isidentifier() or (family.name in registry and not replace):
        raise SettingsError(
            "a family needs a name of its own",
            found=repr(family.name),
            expected=f"an identifier other than {', '.join(registry)}",
            remedy="choose another name, or pass replace=True",
        )
    names = family.parameter_names
    if len(set(names)) < len(names):
        raise SettingsError(f"parameters of {family.name} share a name", found=", ".join(names))
    for special in (*family.nested, *family.limits) if isinstance(family, MarginalFamily) else ():
        family_named(special.family)
    registry[family.name] = family
    return family


def unregister_family(name: str) -> None:
    """Remove a family that `register_family` added; unknown names are ignored."""
    _MARGINALS.pop(name, None)
    _COPULAS.pop(name, None)


def has_registered_families() -> bool:
    """Whether a family was added or replaced, which other processes do not know of."""
    return (_MARGINALS, _COPULAS) != _BUILT_IN


def family_named(name: str) -> MarginalFamily:
    """Look a marginal family up in the registry.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    return _look_up(name, MARGINAL_FAMILIES, "marginal")


def copula_family_named(name: str) -> CopulaFamily:
    """Look a copula family up in the registry.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    return _look_up(name, COPULA_FAMILIES, "copula")


def _look_up(name: str, registry: Mapping[str, Family], kind: str) -> Family:
    try:
        return registry[name]
    except (KeyError, TypeError):
        raise SettingsError(
            f"unknown {kind} family", found=repr(name), expected=", ".join(registry)
        ) from None


def parameters_by_name(family: str, names: tuple[str, ...], given: Any) -> dict[str, float]:
    """Parameters by name, from a mapping or from a sequence in the paper's order.

    Raises
    ------
    SettingsError
        If it is neither, or the sequence has another length.
    """
    if isinstance(given, Mapping):
        return dict(given)
    try:
        values = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        values = None
    if values is None or isinstance(given, str) or len(values) != len(names):
        raise SettingsError(
            f"wrong parameters for {family}",
            found=repr(given),
            expected=f"{', '.join(names) or 'none'}: a mapping, or a sequence in this order",
        )
    return dict(zip(names, values, strict=True))
