"""Proofs of published numbers: which test holds which number against what, and how exactly.

A test is marked with the quantities that it proves and its oracle; `agree` asserts and
records the largest error seen. ``pytest --proofs FILE`` keeps the records of the tests that
passed, and ``python -m benchmarks.validation`` makes the page of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ORACLES = ("closed form", "another program", "high precision", "metamorphic", "simulated truth")
_errors: dict[str, float] = {}


def proves(table: str, *quantities: str, oracle: str, by: str) -> pytest.MarkDecorator:
    """Mark a test as the proof of quantities.

    Parameters
    ----------
    table : str
        Such as "grain_table".
    *quantities : str
        Columns, or keys.
    oracle : str
        One of `ORACLES`.
    by : str
        The formula, the program with its function, or the relation.
    """
    if oracle not in ORACLES:
        raise ValueError(f"unknown oracle {oracle!r}; known are {', '.join(ORACLES)}")
    return pytest.mark.proof(table=table, quantities=quantities, oracle=oracle, by=by)


def agree(
    quantity: str, found: Any, expected: Any, *, rel: float | None = None, abs: float | None = None
) -> None:
    """Assert that values agree, and record the largest error of the quantity.

    The error is relative where `rel` is given, absolute otherwise.
    """
    values, wanted = (np.atleast_1d(np.asarray(part, float)) for part in (found, expected))
    assert values.shape == wanted.shape
    assert values.tolist() == pytest.approx(wanted.tolist(), rel=rel, abs=abs, nan_ok=True)
    errors = np.abs(values - wanted)[np.isfinite(wanted)]
    if rel is not None:
        errors = errors / np.maximum(np.abs(wanted[np.isfinite(wanted)]), 1e-300)
    record(quantity, float(errors.max(initial=0.0)))


def record(quantity: str, error: float) -> None:
    """Record an error that a test found, such as the known bias of an estimator."""
    _errors[quantity] = max(_errors.get(quantity, 0.0), error)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", default=None, help="file that keeps what the tests prove")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proof: proves published numbers, see tests/proofs.py")
    if config.getoption("--proofs"):
        config.pluginmanager.register(_Records(Path(config.getoption("--proofs"))), "records")


def pytest_runtest_setup(item: pytest.Item) -> None:
    _errors.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and report.passed:
        name = f"{Path(item.path).name}::{getattr(item, 'originalname', item.name)}"
        for mark in item.iter_markers("proof"):
            for quantity in mark.kwargs["quantities"]:
                proof = {
                    "table": mark.kwargs["table"],
                    "quantity": quantity,
                    "oracle": mark.kwargs["oracle"],
                    "by": mark.kwargs["by"],
                    "test": name,
                    "largest_error": _errors.get(quantity),
                }
                report.user_properties.append(("proof", proof))
    return report


class _Records:
    """Keep the proofs of the tests of this run in a file, beside those of other tests."""

    def __init__(self, path: Path) -> None:
        self._path, self._proofs = path, {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, proof in report.user_properties if report.when == "call" else ():
            if name == "proof":
                key = (proof["table"], proof["quantity"], proof["test"], proof["by"])
                known = self._proofs.get(key, proof)
                errors = {known["largest_error"], proof["largest_error"]} - {None}
                largest = float(f"{max(errors):.1e}") if errors else None
                self._proofs[key] = {**proof, "largest_error": largest}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput") or not self._proofs:
            return  # a worker of xdist: the session that collects its reports writes
        kept = json.loads(self._path.read_text()) if self._path.exists() else []
        again = {proof["test"] for proof in self._proofs.values()}
        proofs = [proof for proof in kept if proof["test"] not in again]
        proofs += self._proofs.values()
        proofs.sort(key=lambda proof: (proof["table"], proof["quantity"], proof["test"]))
        self._path.write_text(json.dumps(proofs, indent=1) + "\n")
