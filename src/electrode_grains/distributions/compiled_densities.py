"""Log-densities of copulas compiled over a sample: values, or values with all derivatives."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from electrode_grains.compiling import njit
from electrode_grains.distributions import elementary, jets
from electrode_grains.distributions.jets import (
    compilable,
    jet_by_one,
    jet_by_two,
    overload_inline,
)

Array = NDArray[np.float64]
Density = Callable[..., Any]


@cache
def compiled_totals(density: Density, count: int) -> Any:
    """Compile a log-density into log-likelihoods of a sample.

    Parameters
    ----------
    density : callable (of_u, of_v, *parameters)
        In the functions of `jets`.
    count : int
        Number of parameters, 1 or 2.

    Returns
    -------
    callable (of_u, of_v, points, n) -> ndarray of float, shape (m,)
        Of C-contiguous arrays of shape (n,), or pairs of these, and parameters of shape (m, count).
    """
    compilable(density)
    version = _fingerprint(density)

    def by_one(of_u: Any, of_v: Any, points: Any, n: Any) -> Any:
        version  # noqa: B018
        totals, terms = np.empty(len(points)), np.empty(n)
        for m in range(len(points)):
            t = points[m, 0]
            for k in range(n):
                terms[k] = density(_at(of_u, k), _at(of_v, k), t)
            totals[m] = terms.sum()
        return totals

    def by_two(of_u: Any, of_v: Any, points: Any, n: Any) -> Any:
        version  # noqa: B018
        totals, terms = np.empty(len(points)), np.empty(n)
        for m in range(len(points)):
            t, d = points[m, 0], points[m, 1]
            for k in range(n):
                terms[k] = density(_at(of_u, k), _at(of_v, k), t, d)
            totals[m] = terms.sum()
        return totals

    return _compile(by_one if count == 1 else by_two, density)


@cache
def compiled_rows(density: Density, count: int) -> Any:
    """Compile a log-density with its derivatives by all of its parameters.

    Parameters
    ----------
    density : callable (of_u, of_v, *parameters)
        In the functions of `jets`.
    count : int
        Number of parameters, 1 or 2.

    Returns
    -------
    callable (of_u, of_v, parameters, n) -> ndarray of float, shape (3, n) or (6, n)
        Of C-contiguous arrays of shape (n,), or pairs of these: value, gradient and the
        upper half of the Hessian at each observation.
    """
    compilable(density)
    version = _fingerprint(density)

    def by_one(of_u: Any, of_v: Any, parameters: Any, n: Any) -> Any:
        version  # noqa: B018
        t = jet_by_one(parameters[0], 1.0, 0.0)
        rows = np.empty((3, n))
        for k in range(n):
            a = density(_at(of_u, k), _at(of_v, k), t)
            rows[0, k], rows[1, k], rows[2, k] = a.v, a.p, a.pp
        return rows

    def by_two(of_u: Any, of_v: Any, parameters: Any, n: Any) -> Any:
        version  # noqa: B018
        t = jet_by_two(parameters[0], 1.0, 0.0, 0.0, 0.0, 0.0)
        d = jet_by_two(parameters[1], 0.0, 1.0, 0.0, 0.0, 0.0)
        rows = np.empty((6, n))
        for k in range(n):
            a = density(_at(of_u, k), _at(of_v, k), t, d)
            rows[0, k], rows[1, k], rows[2, k] = a.v, a.p, a.q
            rows[3, k], rows[4, k], rows[5, k] = a.pp, a.pq, a.qq
        return rows

    return _compile(by_one if count == 1 else by_two, density)


def _at(of_u: Any, k: int) -> Any:
    raise NotImplementedError  # compiled code alone


@overload_inline(_at)
def _(of_u: Any, k: Any) -> Any:
    if isinstance(of_u, types.BaseTuple):
        return lambda of_u, k: (of_u[0][k], of_u[1][k])
    return lambda of_u, k: of_u[k]


def _compile(loop: Callable[..., Any], density: Density) -> Any:
    # Numba names machine code by the name of its function: loops of one name, kept by different
    # processes, would be taken for one another.
    code = density.__code__
    place = f"{density.__module__}_{density.__qualname__}_{code.co_firstlineno}"
    loop.__qualname__ = f"{loop.__qualname__}_{place}".replace("<locals>.", "")
    return njit(cache=True, nogil=True, error_model="numpy")(loop)


def _fingerprint(density: Density) -> str:
    """Hash of the files that machine code of a density is made from.

    Numba keeps machine code by what a loop encloses and by the file of the loop, which is this one.
    """
    try:
        path = inspect.getsourcefile(density)
    except TypeError:  # written at a prompt
        path = None
    files = (path, jets.__file__, elementary.__file__)
    content = b"".join(Path(file).read_bytes() for file in files if file and Path(file).is_file())
    return hashlib.sha256(content).hexdigest()
