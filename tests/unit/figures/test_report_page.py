import base64
import io
import json
import re
import zlib
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.figures import (
    particle_mesh,
    png_data_uri,
    report_page,
    slice_browser,
)
from electrode_grains.figures.encoding import inline_json, jsonable
from electrode_grains.figures.interactive import grain_rows, mesh_payload
from report_content import EVIL, SPACING, content, particle

ADDRESSES = {"src", "href", "action", "data", "poster", "srcset", "formaction", "background"}
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """Tags, addresses and scripts of a page; notes tags that do not close."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.addresses, self.handlers, self.scripts = [], [], [], {}
        self.open, self.unbalanced, self.ids = [], [], []
        self.script = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ADDRESSES]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.ids += [value for name, value in attrs if name == "id"]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.script = dict(attrs).get("id", f"script {len(self.scripts)}")
            self.scripts[self.script] = ""

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)
        if tag == "script":
            self.script = None

    def handle_data(self, data):
        if self.script is not None:
            self.scripts[self.script] += data


@pytest.fixture(scope="module")
def html():
    return report_page(content())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_tags_close_and_ids_are_unique(page):
    assert page.open == []
    assert page.unbalanced == []
    assert len(page.ids) == len(set(page.ids))


def test_nothing_points_to_the_network(html, page):
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    own = html[: html.index("<script")] + page.scripts[list(page.scripts)[-1]]
    assert not re.search(r"url\(|@import|https?:", own)
    assert {"default-src 'none'", "connect-src 'none'"} <= set(page.policy.split("; "))


def test_plotly_is_there_compressed(page):
    source = zlib.decompress(base64.b64decode(page.scripts["plotly-source"]))
    assert b"plotly.js v" in source[:200]
    assert len(page.scripts["plotly-source"]) < len(source) / 2


def test_a_page_without_mesh_does_without_plotly():
    assert len(report_page({"title": "small"})) < 60_000


def test_the_page_stays_light(html):
    assert len(html.encode()) < 15e6


def test_every_data_block_is_json(page):
    for name in ("slices-data", "mesh-data", "grains-data"):
        assert json.loads(page.scripts[name])


def test_foreign_text_never_becomes_markup(page):
    evil = Page(report_page(content(EVIL)))

    assert evil.tags == page.tags
    assert evil.handlers == []
    assert [a for a in evil.addresses if not a.startswith(("data:", "#"))] == []
    assert list(evil.scripts) == list(page.scripts)
    assert json.loads(evil.scripts["grains-data"])["rows"][0][3] == EVIL


def test_control_characters_are_shown_and_not_obeyed():
    text = "a\x1b[2J\u2028\u202e"
    page = report_page({"title": text, "warnings": [text], "provenance": {text: text}})

    assert not {"\x1b", "\u2028", "\u202e"} & set(page)
    assert page.count(r"a\x1b[2J\u2028\u202e") >= 4


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40))
def test_any_title_keeps_the_page_in_shape(text):
    shown = Page(report_page({"title": text, "warnings": [text], "provenance": {text: text}}))

    assert shown.open == []
    assert shown.unbalanced == []
    assert shown.tags.count("script") == 1


def test_an_empty_report_says_so():
    empty = report_page({"title": "nothing"})
    assert empty.count("No results for this section in this run.") == 4


def test_a_particle_without_scans_and_network_has_no_sections_for_them(page):
    grain_map = Page(report_page({"title": "map", "grain_table": content().grain_table}))
    for section in ("acquisition", "boundary"):
        assert section in page.ids
        assert f"#{section}" in page.addresses
        assert section not in grain_map.ids
        assert f"#{section}" not in grain_map.addresses


def test_the_policy_admits_the_scripts_of_the_page_and_no_other(page):
    admitted = re.search(r"script-src ([^;]*)", page.policy)[1].split()
    own = page.scripts[list(page.scripts)[-1]]
    plotly = zlib.decompress(base64.b64decode(page.scripts["plotly-source"]))
    digests = [base64.b64encode(sha256(text).digest()).decode() for text in (own.encode(), plotly)]
    assert admitted == [f"'sha256-{digest}'" for digest in digests]


def test_scores_that_need_no_truth_stand_beside_those_that_do():
    scores = {"grain_count": 7, "orientations": {"high_angle_recall": 0.981, "faces": 4}}
    page = report_page({"title": "a", "segmentation_scores": scores})
    assert "<strong>0.981</strong><span>recall of faces above 15 degrees" in page
    assert "<span>grains with a second orientation" not in page


def test_unknown_content_and_a_missing_title_are_refused():
    with pytest.raises(InputError, match="figurs"):
        report_page({"title": "a", "figurs": {}})
    with pytest.raises(InputError, match="no title"):
        report_page({})


@pytest.mark.parametrize(
    "picture", ["http://example.org/a.png", "data:text/html;base64,AA", b"GIF"]
)
def test_only_pictures_are_taken_for_figures(picture):
    with pytest.raises(InputError, match="PNG"):
        report_page({"title": "a", "figures": {"1": picture}})


def test_two_pages_of_one_content_are_equal(html):
    assert report_page(content()) == html


def test_a_png_passes_through_unchanged():
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, format="PNG")

    uri = png_data_uri(stream.getvalue())
    assert base64.b64decode(uri.split(",")[1]) == stream.getvalue()


def test_colours_survive_the_encoding():
    image = np.random.default_rng(1).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    for quality in (0, 100):
        decoded = Image.open(
            io.BytesIO(base64.b64decode(png_data_uri(image, webp_quality=quality).split(",")[1]))
        )
        opaque = image[..., 3] > 0
        assert np.array_equal(np.asarray(decoded)[opaque], image[opaque])


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(InputError, match=r"\(3, 4, 2\)"):
        png_data_uri(np.zeros((3, 4, 2)))


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_inline_json_reads_back_and_cannot_end_its_script(value):
    text = inline_json(value)

    assert json.loads(text) == jsonable(value)
    assert not set("<>&") & set(text)


def test_grain_rows_keep_missing_values_and_large_labels():
    rows = grain_rows(pd.DataFrame({"label": [2**60], "sphericity": [np.nan]}))

    assert rows["rows"] == [[str(2**60), None]]


def test_a_slice_that_nobody_measured_is_not_drawn():
    quality = np.ones((4, 3, 5))
    quality[2] = np.nan
    assert slice_browser(quality)["slices"] == [0, 1, 3]


def test_slices_are_thinned_and_spread():
    browser = slice_browser(np.ones((50, 700, 10)), maximum_slices=5, maximum_side=350)

    assert browser["slices"] == [0, 12, 24, 37, 49]
    assert (browser["height"], browser["width"]) == (350, 5)


def test_an_overlay_of_another_window_is_refused():
    with pytest.raises(InputError, match="grains"):
        slice_browser(np.ones((3, 4, 5)), labels=np.ones((3, 4, 4), dtype=int))


def volumes(mesh):
    vertices = mesh["vertices"].astype(float)
    a, b, c = (vertices[mesh["faces"][:, corner]] for corner in range(3))
    signed = (a * np.cross(b, c)).sum(axis=1) / 6
    return np.add.reduceat(signed, mesh["face_start"][:-1])


def test_a_meshed_box_has_nearly_its_volume_and_looks_outward():
    labels = np.zeros((30, 30, 30), dtype=np.uint64)
    labels[5:25, 4:26, 3:27] = 2**40
    for step in (1, 2, 3):
        found = volumes(particle_mesh(labels, SPACING, step=step))

        assert found == pytest.approx([20 * 22 * 24 * np.prod(SPACING)], rel=0.08)


def test_meshes_are_closed():
    faces = particle_mesh(particle(), SPACING)["faces"]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]))

    assert set(np.unique(edges, axis=0, return_counts=True)[1]) == {2}


def test_a_grain_at_the_window_and_a_single_voxel_are_meshed():
    labels = np.zeros((6, 6, 6), dtype=int)
    labels[0, 0, 0], labels[4:, 4:, 4:] = 5, 9
    mesh = particle_mesh(labels, (50, 50, 50), step=3)

    assert mesh["labels"].tolist() == [5, 9]
    assert (volumes(mesh) > 0).all()


def test_only_the_largest_grains_are_meshed():
    mesh = particle_mesh(particle(), SPACING, maximum_grains=1)

    assert (mesh["labels"].tolist(), int(mesh["grain_count"])) == ([12], 3)


def test_the_step_grows_until_the_mesh_is_light_enough():
    mesh = particle_mesh(particle(), SPACING, step=1, maximum_faces=500)

    assert int(mesh["step"]) > 1
    assert len(mesh["faces"]) <= 500


def test_a_volume_without_grains_gives_an_empty_mesh():
    mesh = particle_mesh(np.zeros((3, 3, 3), dtype=int), SPACING)

    assert mesh["faces"].shape == (0, 3)
    assert 'id="mesh-data"' not in report_page({"title": "empty", "mesh": mesh})


def test_meshes_of_what_is_no_label_volume_are_refused():
    with pytest.raises(InputError, match="float64"):
        particle_mesh(np.zeros((3, 3, 3)), SPACING)
    with pytest.raises(SettingsError, match="step 0"):
        particle_mesh(particle(), SPACING, step=0)


def test_packed_vertices_are_right_to_a_step_of_the_box():
    mesh = particle_mesh(particle(), SPACING)
    payload = mesh_payload(mesh)
    raw = np.frombuffer(zlib.decompress(base64.b64decode(payload["vertices"])), dtype="<u2")
    size = np.array(payload["size_um"])
    unpacked = np.array(payload["origin_um"]) + raw.reshape(-1, 3) / 65535 * size

    assert np.abs(unpacked * 1000 - mesh["vertices"]).max() <= size.max() * 1000 / 65535


def test_scores_are_seen_at_first_sight():
    truth = {"adapted_rand_error": 0.1639, "matched": {"f1": 0.9574, "true": 793}}
    page = report_page(
        {
            "title": "P",
            "segmentation_scores": {"grain_count": 803, "truth": truth, "annotation": {}},
            "boundary_scores": {"boundary_f1": 0.85, "brier_score": None},
        }
    )
    for shown in ("0.9574", "0.1639", "793", "803", "0.85", "boundary F1 on unseen slices"):
        assert f">{shown}" in page
    assert "Brier score (0 to 2)" not in page  # undefined here


def test_without_truth_no_score_against_it_is_shown():
    scores = {"grain_count": 287, "truth": None, "annotation": {"boundary_f1": 0.8}}
    page = report_page({"title": "P", "segmentation_scores": scores})
    assert "adapted Rand error" not in page
    assert "boundary F1 on annotated slices" in page


def test_pictures_of_the_page_are_smaller_than_those_for_print():
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (900, 2400, 3), dtype=np.uint8)).save(stream, "PNG")
    page = report_page({"title": "P", "figures": {"1": stream.getvalue()}})
    (uri,) = re.findall(r'<img src="(data:image/webp;base64,[^"]+)"', page)
    shown = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert shown.size == (1600, 600)
    assert len(uri) < len(stream.getvalue()) / 3
