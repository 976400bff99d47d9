import html
import re

import numpy as np
import pandas as pd
import pytest

from electrode_grains.figures import virtual_page
from electrode_grains.figures.generation import seen_from_outside
from electrode_grains.figures.style import label_colours, new_figure
from electrode_grains.figures.virtual_page import quantity_name


def comparison():
    rows = [
        ("mean equivalent_diameter_nm", 512.3, 508.0, 540.0, 4.0, 500.0, 530.0, False),
        ("distance of sphericity", 0.0, np.nan, 0.0123, 0.0, np.nan, 0.02, True),
        ("share of boundaries below 15 degrees", 0.05, np.nan, 0.052, 0.01, 0.04, 0.06, True),
    ]
    columns = ["quantity", "data", "fit", "virtual", "virtual_std", "lower", "upper", "inside"]
    return pd.DataFrame(rows, columns=columns)


def cells(page):
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    return [
        [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in body.split("</tr>")[:-1]
    ]


@pytest.fixture
def page():
    return virtual_page("NMC <811>", new_figure(3, 2), comparison(), {"a": 120, "b": 1100})


def test_the_page_shows_every_quantity_with_its_band(page):
    assert cells(page) == [
        ["Mean equivalent diameter / nm", "512", "508", "540 ± 4", "500 to 530", "no"],
        ["Distance of sphericity", "0", "-", "0.0123", "at most 0.02", "yes"],
        [
            "Share of boundaries below 15 degrees",
            "0.05",
            "-",
            "0.052 ± 0.01",
            "0.04 to 0.06",
            "yes",
        ],
    ]
    assert "Mean equivalent diameter / nm: 540 ± 4, in samples of the data 500 to 530" in page
    assert "<strong>2 of 3</strong>" in page
    assert "<strong>1,220</strong>" in page


def test_names_of_particles_are_text_and_no_script_may_run(page):
    assert "NMC &lt;811&gt;" in page
    assert "<811>" not in page
    assert "script-src 'none'" in html.unescape(page)
    assert "<script" not in page


def test_correlations_name_both(page):
    named = quantity_name("correlation distance_to_center_nm ~ equivalent_diameter_nm")
    assert named.startswith("Correlation of ")
    assert named.endswith(" and equivalent diameter")


def test_a_cube_is_seen_with_three_faces_of_its_colour():
    labels = np.zeros((20, 20, 20), int)
    labels[4:16, 4:16, 4:16] = 7
    picture = seen_from_outside(labels, (50.0, 50.0, 50.0))
    solid = picture[..., 3] > 0
    # An edge of 12 of 20 voxels is some 94 of 150 points; three faces are more than one, and
    # along the diagonal at most the root of three.
    assert 94**2 < solid.sum() < 3**0.5 * 95**2
    colour = label_colours([7])[0, :3]
    shares = picture[solid][:, :3] / colour
    assert np.ptp(shares, axis=1).max() < 1e-9
    # Flat faces are lit evenly, each otherwise.
    _, counts = np.unique(shares[:, 0].round(1), return_counts=True)
    assert (counts > 0.08 * solid.sum()).sum() >= 3


def test_nothing_is_seen_of_an_empty_window():
    assert not seen_from_outside(np.zeros((4, 5, 6), int), (50.0, 40.0, 40.0))[..., 3].any()
