"""The report: one self-contained page about a particle."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from electrode_grains.errors import InputError
from electrode_grains.figures.abstract import MEANS, mean_with_error, summarize
from electrode_grains.figures.content import (
    FIGURE_ALIASES,
    FIGURES,
    FigureEntry,
    Picture,
    ReportContent,
)
from electrode_grains.figures.encoding import (
    inline_json,
    packed,
    page_environment,
    picture_size,
    screen_picture,
)
from electrode_grains.figures.formulas import formula_in_mathml
from electrode_grains.figures.interactive import grain_rows, mesh_payload
from electrode_grains.figures.page_values import (
    candidate_tables,
    humanize,
    main_scores,
    page_table,
    provenance_blocks,
    section_values,
    slice_rows,
    validation_table,
    value_rows,
)
from electrode_grains.figures.style import characteristic_name, family_name
from electrode_grains.figures.table_text import display_cell, heading
from electrode_grains.figures.tables import (
    TABLE_CAPTIONS,
    table_1,
    table_2,
    table_3,
    table_4,
    unit_of,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
IMAGE_URI_STARTS = ("data:image/png;base64,", "data:image/webp;base64,")
HEADLINES: Mapping[str, tuple[str, str]] = {
    "grain_count": ("grains", ""),
    "whole_grain_count": ("whole grains (used for statistics)", ""),
    "measured_share": ("of the window measured", ""),
    "particle_volume_um3": ("particle volume", "µm³"),
    "boundary_area_um2": ("grain boundary area", "µm²"),
    "specific_surface_area_per_um": ("grain-boundary area per volume", "µm⁻¹"),
}
TABLES: Mapping[str, tuple[Callable[[Mapping[str, Any]], pd.DataFrame], str]] = {
    "1": (table_1, "marginal_fits"),
    "2": (table_2, "marginal_fits"),
    "3": (table_3, "copula_fits"),
    "4": (table_4, "copula_fits"),
}


def report_page(content: ReportContent | Mapping[str, Any]) -> str:
    """Write the report as one HTML page that needs nothing but a browser.

    Parameters
    ----------
    content : ReportContent or mapping
        What to show; a mapping has the fields of `ReportContent` as keys.

    Returns
    -------
    str
        HTML. Pictures, data, styles and scripts are inside; whatever comes from data is
        escaped, and a content security policy forbids the network and all scripts but the
        page's own, which it knows by their digests.

    Raises
    ------
    InputError
        If a key is unknown, the title is missing, or a picture is none.

    Examples
    --------
    >>> page = report_page({"title": "Particle <A>", "particle_summary": {"grain_count": 3}})
    >>> "Particle &lt;A&gt;" in page, "<A>" in page
    (True, False)
    """
    content = content if isinstance(content, ReportContent) else _from_mapping(content)
    environment = page_environment()
    environment.filters["cell"] = display_cell
    mesh = mesh_payload(content.mesh, content.grain_table) if _has_grains(content.mesh) else None
    script = environment.get_template("report.js").render()
    plotly = _plotly_source() if mesh is not None or content.candidates else ""
    figures, values = _figures(content.figures), section_values(content)
    validation = validation_table(content.validation_scores or {})
    return environment.get_template("report.html.j2").render(
        policy=_policy(script, plotly),
        script=Markup(script),
        title=content.title,
        subtitle=content.subtitle,
        warnings=[str(warning) for warning in content.warnings],
        abstract=summarize(content),
        headlines=_headlines(content),
        scores=main_scores(content),
        particle_rows=[
            (humanize(name), text) for name, text in value_rows(content.particle_summary)
        ],
        figures=figures,
        values=values,
        slice_table=None if content.slice_table is None else slice_rows(content.slice_table),
        has_acquisition=bool(values["acquisition"] or figures["acquisition"]),
        has_boundary=bool(values["boundary"] or figures["boundary"] or validation),
        tables=_tables(content),
        formulas=[
            (family_name(family), Markup(formula_in_mathml(left, formula)))
            for left, formulas in content.formulas.items()
            for family, formula in formulas.items()
        ],
        comparisons=candidate_tables(content),
        truth=None
        if content.truth_comparison is None
        else page_table("", "", content.truth_comparison),
        validation=validation,
        suspects=_suspects(content),
        has_slices=bool(content.slices),
        has_candidates=bool(content.candidates),
        has_mesh=mesh is not None,
        has_grains=content.grain_table is not None,
        provenance=provenance_blocks(content.provenance),
        slices_json=_script_json(content.slices),
        mesh_json=_script_json(mesh),
        grains_json=_script_json(
            None if content.grain_table is None else grain_rows(content.grain_table)
        ),
        candidates_json=_script_json(content.candidates),
        plotly_source=packed(np.frombuffer(plotly.encode(), dtype=np.uint8)) if plotly else "",
    )


def _from_mapping(content: Mapping[str, Any]) -> ReportContent:
    known = {part.name for part in fields(ReportContent)}
    unknown = sorted(set(content) - known)
    if unknown or "title" not in content:
        raise InputError(
            "this is not the content of a report",
            found=", ".join(map(str, unknown)) or "no title",
            expected=", ".join(sorted(known)),
        )
    return ReportContent(**content)


def _plotly_source() -> str:
    """Source of plotly.js; the page holds it compressed to a third."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _policy(*scripts: str) -> str:
    """Policy under which a browser runs these scripts and no other."""
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts if script)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return CONTENT_SECURITY_POLICY.format(scripts=allowed)


def _script_json(value: Any) -> Markup | None:
    return None if not value else Markup(inline_json(value))


def _has_grains(mesh: Mapping[str, Any] | None) -> bool:
    return bool(mesh) and len((mesh or {})["labels"]) > 0


def _headlines(content: ReportContent) -> list[dict[str, str]]:
    """Counts and sizes of the particle, then means of its grains with their standard errors."""
    summary = content.particle_summary
    fits = (content.marginal_fits or {}).get("characteristics") or {}
    means = [
        {
            "value": text,
            "name": f"mean {characteristic_name(name).lower()}",
            "unit": unit_of(name, fits[name]),
        }
        for name, digits in MEANS.items()
        if (text := mean_with_error(fits.get(name) or {}, digits))
    ]
    return means + [
        {"value": _headline(key, summary[key]), "name": name, "unit": unit}
        for key, (name, unit) in HEADLINES.items()
        if summary.get(key) is not None
    ]


def _headline(key: str, value: Any) -> str:
    return f"{value:.1%}" if key.endswith("_share") else display_cell(value)


def _figures(figures: Mapping[str, Picture]) -> dict[str, list[dict[str, Any]]]:
    """Sort the pictures into the sections; those nobody knows come at the end."""
    named = {_figure_key(key): picture for key, picture in figures.items()}
    order = [key for key in FIGURES if key in named] + [k for k in named if k not in FIGURES]
    sections: dict[str, list[dict[str, Any]]] = {entry.section: [] for entry in FIGURES.values()}
    sections["other"] = []
    for key in order:
        entry = FIGURES.get(key) or FigureEntry("other", heading(key), "")
        source = _picture_source(key, named[key])
        width, height = picture_size(source)
        sections[entry.section].append(
            {
                "source": source,
                "width": width,
                "height": height,
                "number": entry.number,
                "caption": entry.caption,
            }
        )
    return sections


def _figure_key(key: str) -> str:
    short = str(key).removeprefix("figure_")
    return FIGURE_ALIASES.get(short, short)


def _picture_source(key: str, picture: Picture) -> str:
    if isinstance(picture, Figure | bytes):
        return screen_picture(picture)
    if isinstance(picture, str) and picture.startswith(IMAGE_URI_STARTS):
        return picture
    raise InputError(
        "a figure of the report is no picture",
        where=f"figure {key}",
        found=repr(picture)[:60],
        expected="a matplotlib Figure, the bytes of a PNG, or a data URI of an image",
    )


def _tables(content: ReportContent) -> list[dict[str, Any]]:
    given = {str(key).removeprefix("table_"): table for key, table in content.tables.items()}
    tables = []
    for number, (build, source) in TABLES.items():
        fits, caption = getattr(content, source), TABLE_CAPTIONS[number]
        if number in given:
            tables.append(page_table(f"Table {number}", caption, given.pop(number)))
        elif fits:
            tables.append(page_table(f"Table {number}", caption, build(fits)))
    return tables + [page_table(heading(key), "", table) for key, table in given.items()]


def _suspects(content: ReportContent) -> list[dict[str, Any]]:
    """Rank the suspects with their pictures and their places in the slice browser."""
    if content.suspects is None:
        return []
    height, width = (int((content.slices or {}).get(side, 0)) for side in ("height", "width"))
    thin = int((content.slices or {}).get("thin", 1))
    pictures = [*map(_suspect_picture, content.suspect_pictures)]
    return [
        {
            "rank": display_cell(row["rank"]),
            "label": display_cell(row["label"]),
            "reason": str(row["reason"]),
            "suspicion": display_cell(row.get("suspicion")),
            "voxels": display_cell(row.get("voxel_count")),
            "place": f"{row['z']}, {row['y']}, {row['x']}",
            "slice": int(row["z"]),
            "left": (row["x"] + 0.5) / (width * thin) if width else "",
            "top": (row["y"] + 0.5) / (height * thin) if height else "",
            "picture": pictures[rank] if rank < len(pictures) else None,
        }
        for rank, row in enumerate(content.suspects.to_dict("records"))
    ]


def _suspect_picture(picture: str) -> str:
    return _picture_source("of a suspect", picture)
