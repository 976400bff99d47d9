"""Programs that read exports back, in the process of the tests."""

import signal

import pytest


@pytest.fixture(autouse=True)
def writes_to_closed_pipes_stay_errors():
    """gmsh lets SIGPIPE end the process, which a later test may then be ended by."""
    yield
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
