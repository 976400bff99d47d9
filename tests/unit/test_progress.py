import logging

from electrode_grains.progress import progress_line

logger = logging.getLogger("electrode_grains.test_progress")


def test_long_work_is_told_to_its_end(caplog):
    with caplog.at_level(logging.INFO, logger.name):
        tell = progress_line(logger, "slices registered", every=0.0)
        for done in (1, 2, 3):
            tell(done, 3)
    assert [message.partition(", ")[0] for message in caplog.messages] == [
        f"{done} of 3 slices registered" for done in (1, 2, 3)
    ]
    assert [" left" in message for message in caplog.messages] == [True, True, False]


def test_short_work_is_not_worth_a_line(caplog):
    with caplog.at_level(logging.INFO, logger.name):
        tell = progress_line(logger, "slices registered", every=60.0)
        tell(3, 3)
    assert caplog.messages == []
