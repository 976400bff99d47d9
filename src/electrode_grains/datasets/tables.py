"""Tables as Parquet, and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro_datasets._typing import TablePreview

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write
from electrode_grains.text import cell, printable


class ParquetDataset(AtomicDataset[pd.DataFrame, pd.DataFrame]):
    """A table as Parquet whose pages carry checksums, verified at every load."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        InputError
            If the file is missing, cut off, or damaged.
        """
        self._refuse_missing("table")
        try:
            return pq.read_table(self._filepath, page_checksum_verification=True).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                "the table is damaged",
                where=str(self._filepath),
                found=str(error).splitlines()[0],
                remedy="make it again: kedro run with the pipeline that makes it",
            ) from None

    def save(self, data: pd.DataFrame) -> None:
        """Write the table in one step."""
        with atomic_write(self._filepath) as (partial,):
            data.to_parquet(partial, engine="pyarrow", write_page_checksum=True)

    def preview(self, nrows: int = 10) -> TablePreview:
        """First rows for the side panel of Kedro-Viz."""
        return table_preview(self.load().head(nrows))

    def paths(self) -> tuple[Path, ...]:
        """The file."""
        return (self._filepath,)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class TextDataset(AtomicDataset[str, str]):
    """A text, such as the page of the report."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """Read the text."""
        self._refuse_missing("text")
        return self._filepath.read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        """Write the text in one step."""
        with atomic_write(self._filepath) as (partial,):
            partial.write_text(data, encoding="utf-8")

    def paths(self) -> tuple[Path, ...]:
        """The file."""
        return (self._filepath,)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Table whose texts no spreadsheet takes for formulas, and no terminal for commands."""
    safe = table.copy()
    for name in table.select_dtypes(["object", "string"]):
        safe[name] = [
            cell(printable(value)) if isinstance(value, str) else value for value in table[name]
        ]
    return safe


def table_preview(table: pd.DataFrame) -> TablePreview:
    """Rows of a table as Kedro-Viz takes them."""
    rows: dict[str, Any] = table.astype(str).to_dict(orient="split")
    return TablePreview(rows)
