"""Measure what the tables of the documentation state, and write them: ``make measurements``.

``python -m benchmarks.measurements`` makes the rows that are missing or older than the code, each
in a process of its own, and the tables after each; a run that was killed goes on where it was.
With keys it makes these rows only, whether they are old or not. ``--check`` lists old rows and
measures nothing, ``--tables`` writes the tables of the rows that are kept. ``nice`` in front makes
it step back behind other work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.measurements.records import Row
from benchmarks.measurements.rows import ROWS
from benchmarks.measurements.tables import write_tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--check", action="store_true", help="list rows older than the code")
    parser.add_argument("--tables", action="store_true", help="write the tables only")
    parser.add_argument("--here", action="store_true", help="in this process, without tables")
    asked = parser.parse_args()
    if unknown := [key for key in asked.keys if key not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    if asked.check:
        return _check()
    if asked.here:
        for key in asked.keys:
            ROWS[key].make()
        return 0
    failed = [] if asked.tables else [row.key for row in _wanted(asked.keys) if not _made(row)]
    write_tables()
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed)


def _check() -> int:
    old = {key: reason for key, row in ROWS.items() if (reason := row.reason_to_measure())}
    for key, reason in old.items():
        print(f"{key}: {reason}")
    print(f"{len(ROWS) - len(old)} of {len(ROWS)} rows are of this code")
    return bool(old)


def _wanted(keys: list[str]) -> list[Row]:
    return [ROWS[key] for key in keys] or [row for row in ROWS.values() if row.reason_to_measure()]


def _made(row: Row) -> bool:
    print(f"{row.key}: {row.reason_to_measure() or 'measured again'}", flush=True)
    words = [sys.executable, "-m", "benchmarks.measurements", "--here", row.key]
    done = subprocess.run(words, check=False).returncode == 0
    if done:
        write_tables()
    return done


if __name__ == "__main__":
    sys.exit(main())
