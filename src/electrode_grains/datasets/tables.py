"""Tables as Parquet, and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro_datasets._typing import TablePreview

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.errors import InputError
from electrode_grains.text import cell, printable


class ParquetDataset(FileDataset[pd.DataFrame, pd.DataFrame]):
    """A table as Parquet whose pages carry checksums, verified at every load."""

    kind = "table"

    def _read(self, path: Path) -> pd.DataFrame:
        try:
            table: pd.DataFrame = pq.read_table(path, page_checksum_verification=True).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                "the table is damaged",
                where=str(path),
                found=str(error).splitlines()[0],
                remedy="make it again: kedro run with the pipeline that makes it",
            ) from None
        return table

    def _write(self, data: pd.DataFrame, *paths: Path) -> None:
        data.to_parquet(paths[0], engine="pyarrow", write_page_checksum=True)

    def preview(self, nrows: int = 10) -> TablePreview:
        """First rows for the side panel of Kedro-Viz."""
        return table_preview(self.load().head(nrows))


class TextDataset(FileDataset[str, str]):
    """A text, such as the page of the report."""

    kind = "text"

    def _read(self, path: Path) -> str:
        return path.read_text(encoding="utf-8")

    def _write(self, data: str, *paths: Path) -> None:
        paths[0].write_text(data, encoding="utf-8")


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
