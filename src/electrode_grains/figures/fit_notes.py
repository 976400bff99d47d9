"""What a reader should know of a fit beside its numbers, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from electrode_grains.figures.style import characteristic_name, family_name
from electrode_grains.figures.table_text import display_cell

FREQUENT = 0.1  # share of samples from which on a rival is named


def fit_notes(fits: Mapping[str, Any]) -> list[str]:
    """Sentences about the fit of a characteristic or of a pair.

    Parameters
    ----------
    fits : mapping
        One entry of ``characteristics`` or of ``pairs``, in plain values.

    Returns
    -------
    list of str
        Populations of a mixture, families between which the sample does not decide, how often
        the best wins again, rounding, independence and weakly identified parameters.

    Examples
    --------
    >>> fit_notes({"best": "beta", "undecided": ["normal"],
    ...            "selection_frequencies": {"beta": 0.7, "normal": 0.3}})
    ['Undecided between it and normal (within two units of AIC). Among samples drawn from it, \
it wins again in 70 %, normal in 30 %.']
    """
    sentences = [
        _populations(fits.get("populations") or ()),
        _undecided(fits),
        _rounding(fits.get("rounding")),
        _independence(fits),
        _ridge(fits),
    ]
    return [sentence for sentence in sentences if sentence]


def _populations(populations: Any) -> str:
    if len(populations) != 2:
        return ""
    first, second = populations
    differences = [
        f"{characteristic_name(name).lower()} {display_cell(first['means'][name])} against "
        f"{display_cell(second['means'][name])}"
        for name in first.get("means") or {}
        if first["means"][name] is not None and second["means"].get(name) is not None
    ]
    beside = f" Their means: {', '.join(differences)}." if differences else ""
    return (
        f"Two populations: {first['share']:.0%} of the grains lie around "
        f"{display_cell(first['mean'])} ± {first['std']:.2g}, the others around "
        f"{display_cell(second['mean'])} ± {second['std']:.2g}.{beside}"
    )


def _undecided(fits: Mapping[str, Any]) -> str:
    rivals = fits.get("undecided") or ()
    sentences = []
    if rivals:
        names = ", ".join(_named(name) for name in rivals)
        sentences.append(f"Undecided between it and {names} (within two units of AIC).")
    won = dict(fits.get("selection_frequencies") or {})
    best = fits.get("best")
    if won and best:
        if isinstance(best, Mapping):
            turned = f" {best['rotation']}" if best.get("rotation") else ""
            best = f"{best['family']}{turned}"
        own = won.pop(best, 0.0)
        others = [f"{_named(name)} in {share:.0%}" for name, share in won.items()]
        listed = [
            text for text, share in zip(others, won.values(), strict=True) if share >= FREQUENT
        ]
        rest = f", {', '.join(listed)}" if listed else ""
        sentences.append(f"Among samples drawn from it, it wins again in {own:.0%}{rest}.")
    return " ".join(sentences).replace("%", " %")


def _rounding(rounding: Any) -> str:
    if not rounding:
        return ""
    what = "counts of voxels" if rounding["power"] == 3 else f"steps of {rounding['step']:.4g}"
    return (
        f"The values lie on a grid ({what}; {rounding['ties']:.0%} of them are tied), and so do "
        "the samples that they are tested against."
    )


def _independence(fits: Mapping[str, Any]) -> str:
    p_value = fits.get("independence_p_value")
    return "" if p_value is None else f"Independence (Kendall's tau): p = {p_value:.2g}."


def _ridge(fits: Mapping[str, Any]) -> str:
    intervals = fits.get("intervals") or {}
    if not intervals:
        return ""
    parts = [
        f"{name.replace('_', ' ')} {ends['low']:.3g} to {ends['high']:.3g}"
        for name, ends in intervals.items()
    ]
    note = "Intervals of 95 %: " + ", ".join(parts) + "."
    if fits.get("is_weakly_identified"):
        note += " The parameters are weakly identified: the intervals are sets of values that do "
        note += "about equally well together."
    return note


def _named(name: str) -> str:
    family, _, rotation = name.partition(" ")
    return f"{family_name(family)} rotated by {rotation}°" if rotation else family_name(family)
