"""Where MLflow keeps experiments: one SQLite file of the project, unless configured otherwise."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import BaseModel

from electrode_grains.errors import SettingsError
from electrode_grains.runs.writing import atomic_write

SQLITE = "sqlite:///"
SQLITE_PATH_BYTES = 500  # SQLite takes 512, the journal's suffix included


class TrackingSettings(BaseModel, frozen=True, extra="forbid"):
    """Content of `mlflow.yml`.

    `candidates` says which families of a comparison are logged as nested runs: all of them,
    or the winners only, which is quick on slow disks.
    """

    enabled: bool = True
    candidates: Literal["all", "winners"] = "all"
    tracking_uri: str = "sqlite:///mlflow.db"
    artifact_root: str = "mlruns"


def store_address(settings: TrackingSettings, project: Path) -> str:
    """Address of the store; a relative path is inside the project.

    Raises
    ------
    SettingsError
        If the path is too long for SQLite.
    """
    uri = settings.tracking_uri
    if uri.startswith(SQLITE) and not uri.startswith(SQLITE + "/"):
        uri = SQLITE + str(project / uri.removeprefix(SQLITE))
    if uri.startswith(SQLITE) and len(os.fsencode(uri)) - len(SQLITE) > SQLITE_PATH_BYTES:
        raise SettingsError(
            "the path of MLflow's store is longer than SQLite opens",
            where=uri.removeprefix(SQLITE),
            found=f"{len(os.fsencode(uri)) - len(SQLITE)} bytes",
            expected=f"{SQLITE_PATH_BYTES} at most",
            remedy="move the project, or name another tracking_uri in mlflow.yml; enabled: false "
            "there does without MLflow",
        )
    return uri


def make_store(uri: str, artifact_root: Path) -> None:
    """Make a new SQLite store in memory and put it in place in one step.

    MLflow makes its tables one by one: killed in between, it leaves a store that nothing opens.
    """
    place = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = place.with_name(f".{place.name}.lock")
    with FileLock(lock):  # two projects may begin one store at once
        if not place.exists():
            _write_store(place, artifact_root)
        with suppress(OSError):  # Windows keeps it
            lock.unlink()


def _write_store(place: Path, artifact_root: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for suffix in ("-journal", "-wal"):  # of a store that was removed; SQLite would play it back
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    new_store: Any = SqlAlchemyStore  # whose constructor has no types
    engine = new_store(SQLITE + ":memory:", str(artifact_root)).engine
    with engine.connect() as connection, atomic_write(place) as (partial,):
        store: Any = connection.connection.driver_connection
        partial.write_bytes(store.serialize())
    engine.dispose()
