import errno
import sqlite3

import pytest
from kedro.io import DatasetError

from electrode_grains.command_line import refusal_in
from electrode_grains.runs.writing import atomic_write


def test_a_disk_that_takes_no_more_is_a_refusal_with_its_file():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "data/table.parquet")
        except OSError as error:
            raise DatasetError("Failed while saving data") from error
    except DatasetError as error:
        told = refusal_in(error)
    assert "the disk takes no more data" in told
    assert "data/table.parquet" in told
    assert "run again" in told


def test_a_full_disk_that_does_not_tell_its_file_gets_the_name_of_the_target(tmp_path):
    with pytest.raises(OSError) as found, atomic_write(tmp_path / "table.parquet"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write tells it
    assert f"{tmp_path}/table.parquet" in refusal_in(found.value)


def test_a_full_store_of_mlflow_is_a_refusal(tmp_path):
    with sqlite3.connect(tmp_path / "store.db") as store:
        store.execute("CREATE TABLE t (x)")
        store.execute("PRAGMA max_page_count = 3")
        with pytest.raises(sqlite3.Error) as found:
            store.execute("INSERT INTO t VALUES (zeroblob(100000))")
    store.close()
    told = refusal_in(found.value)
    assert "the disk takes no more data" in told
    assert "the store of MLflow" in told
    assert refusal_in(sqlite3.IntegrityError("UNIQUE constraint failed")) is None


def test_another_error_of_the_system_keeps_its_traceback():
    assert refusal_in(OSError(errno.EIO, "Input/output error")) is None
