"""What settings and results of all rooms have in common: frozen, checked, explained once.

A setting is declared with its default, unit and meaning; the same declaration checks a user's
value, is logged, and stands in the table of all settings. A result turns to plain values and
back, so that a file can keep it and a reader knows what it gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol, Self, get_args, runtime_checkable

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from electrode_grains.errors import SettingsError
from electrode_grains.text import meant


class Settings(BaseModel):
    """Base of all settings: immutable, unknown names refused, impossible values refused.

    A renamed setting is refused with its name of today, which `FORMER_NAMES` states.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    FORMER_NAMES: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_names(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            for former in cls.FORMER_NAMES.keys() & values.keys():
                raise ValueError(f"{former} is called {cls.FORMER_NAMES[former]} now; rename it")
        return values

    def replace(self, **changes: Any) -> Self:
        """The same settings but for some values, which are checked.

        Examples
        --------
        >>> class Smoothing(Settings):
        ...     width_nm: float = setting(50.0, "width of the kernel", unit="nm", gt=0)
        >>> Smoothing().replace(width_nm=20).width_nm
        20.0
        """
        return type(self)(**{**dict(self), **changes})

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Build settings from values that a user gave.

        Raises
        ------
        SettingsError
            Naming the first value that is impossible or unknown.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise setting_refusals(error, cls)[0] from None


def setting_refusals(
    error: ValidationError, model: type[BaseModel], group: str = ""
) -> list[SettingsError]:
    """Every value that pydantic refused, with its name, and with the names that there are.

    Parameters
    ----------
    error : ValidationError
    model : type of BaseModel
        That refused.
    group : str
        Where its settings stand, such as ``segmentation.grains``.

    Examples
    --------
    >>> class Smoothing(Settings):
    ...     width_nm: float = setting(50.0, "width of the kernel", unit="nm", gt=0)
    >>> Smoothing.checked(with_nm=3)
    Traceback (most recent call last):
    ...
    electrode_grains.errors.SettingsError: there is no such setting
      where:    with_nm
      found:    3
      expected: did you mean width_nm? There are: width_nm
    """
    refusals = []
    for each in error.errors():
        *within, name = each["loc"] or ("",)
        place = ".".join(str(part) for part in (group, *each["loc"]) if part != "")
        unknown = each["type"] == "extra_forbidden"
        given = each["input"]
        refusals.append(
            SettingsError(
                "there is no such setting" if unknown else "a setting is not possible",
                where=place or model.__name__,
                found=None if each["type"] == "missing" else repr(given)[:200],
                expected=meant(str(name), _names_at(model, within))
                if unknown
                else each["msg"].removeprefix("Value error, "),
            )
        )
    return refusals


def _names_at(kind: Any, place: Sequence[int | str]) -> list[str]:
    """Names of the settings of a model, or of what lies within it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        if not place:
            return list(fields)
        return _names_at(fields[str(place[0])].annotation, place[1:]) if place[0] in fields else []
    rest = place[1:] if place and isinstance(place[0], int) else place
    return next((names for each in get_args(kind) if (names := _names_at(each, rest))), [])


def setting(default: Any, meaning: str, *, unit: str | None = None, **limits: Any) -> Any:
    """Declare a setting.

    Parameters
    ----------
    default : Any
        The value of conf/base.
    meaning : str
        One line for the table of settings.
    unit : str, optional
        Such as "nm" or "degrees"; None for a number without one.
    **limits
        Of pydantic's `Field`, such as ``ge=0``.

    Examples
    --------
    >>> class Smoothing(Settings):
    ...     width_nm: float = setting(50.0, "width of the kernel", unit="nm", gt=0)
    >>> Smoothing().width_nm
    50.0
    >>> Smoothing(width_nm=-1)
    Traceback (most recent call last):
    ...
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Smoothing
    width_nm
      Input should be greater than 0 ...
    """
    return Field(default, description=meaning, json_schema_extra={"unit": unit}, **limits)


SMALLEST_LENGTH_NM = 1.0  # no scan is finer


def _plausible_length(value: float) -> float:
    if 0 < value < SMALLEST_LENGTH_NM:
        raise ValueError(
            f"{value:g} nm is too small: are these um? {value:g} um = {value * 1000:g} nm"
        )
    return value


# A length in nm that a user types: 0.05 is refused, since it is meant in micrometres.
Length = Annotated[float, AfterValidator(_plausible_length)]


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List the leaves of nested mappings and models under dotted names.

    Examples
    --------
    >>> dict(flatten({"segmentation": {"depth": 0.1, "merge": {"mode": "iq"}}}))
    {'segmentation.depth': 0.1, 'segmentation.merge.mode': 'iq'}
    """
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif isinstance(value, Result):
        value = value.to_dict()
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


@runtime_checkable
class Result(Protocol):
    """A value that a JSON file can keep."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        ...

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        ...
