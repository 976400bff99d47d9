"""Refusals that a user can act on.

Every refusal of input or settings is a `UserError`: it names where it was found,
what was found, what was expected and the way out. The command line prints it as
one block without a traceback; a Python session sees an ordinary ValueError.
"""

from __future__ import annotations

from electrode_grains.text import printable


class UserError(ValueError):
    """A refusal with its place, its evidence and its remedy.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    where : str, optional
        File, line, slice or grain concerned.
    found, expected : str, optional
        The offending value and the one that would have been accepted.
    remedy : str, optional
        What the user can do about it.

    Examples
    --------
    >>> raise UserError("the grid is incomplete", where="slice_003.ang", found="89 points",
    ...               expected="90 points", remedy="export the slice again")
    Traceback (most recent call last):
    ...
    electrode_grains.errors.UserError: the grid is incomplete
      where:    slice_003.ang
      found:    89 points
      expected: 90 points
      remedy:   export the slice again
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message, self.where, self.found = message, where, found
        self.expected, self.remedy = expected, remedy
        details = [
            f"  {name + ':':<9} {value}"
            for name, value in (
                ("where", where),
                ("found", found),
                ("expected", expected),
                ("remedy", remedy),
            )
            if value is not None
        ]
        super().__init__(printable("\n".join([message, *details])))


class InputError(UserError):
    """Data from outside (a scan, an annotation, a volume) cannot be used as it is."""


class SettingsError(UserError):
    """A parameter, or a combination of parameters, makes no sense."""


class ComputationError(UserError):
    """A computation cannot continue with what it has got (no grain, loss not finite)."""


class RunError(UserError):
    """A run cannot begin or go on here: another one is at work, or the disk takes nothing."""
