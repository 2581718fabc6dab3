"""What is logged while a batch is done travels with its results."""

import logging

from jobs.telemetry.captured import MOST_NOTES, captured


def test_warnings_are_kept_with_their_traceback_and_good_news_is_not() -> None:
    with captured() as notes:
        logging.getLogger("codec").warning("frame %d is broken", 7)
        logging.getLogger("codec").info("all is well")
        try:
            raise ValueError("no such thing")
        except ValueError:
            logging.getLogger("codec").exception("while reading")
    logging.getLogger("codec").warning("after the batch")
    first, second = notes.notes()
    assert (first.level, first.logger, first.message, first.traceback) == ("WARNING", "codec", "frame 7 is broken", "")
    assert "ValueError: no such thing" in second.traceback


def test_a_library_that_never_stops_warning_is_cut_short_and_counted() -> None:
    with captured() as notes:
        for i in range(MOST_NOTES + 5):
            logging.getLogger("codec").warning("frame %d", i)
    *kept, last = notes.notes()
    assert len(kept) == MOST_NOTES
    assert last.message == "5 more lines were logged in this batch and are not kept"
