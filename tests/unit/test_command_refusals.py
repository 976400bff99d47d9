import errno

from kedro.io import DatasetError

from electrode_grains.cli import refusal_in


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


def test_another_error_of_the_system_keeps_its_traceback():
    assert refusal_in(OSError(errno.EIO, "Input/output error")) is None
