"""What a reader's browser does with the report; skipped where no Chromium is installed."""

import time

import pytest
from PIL import Image

from browser import Browser, find_chromium
from electrode_grains.figures import report_page
from report_content import EVIL, content

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium: install it, or name one in CHROMIUM"
)

CELLS = "[...document.querySelectorAll('#grains tbody tr')].map((row) => row.cells[{}].textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a particle with hostile names, opened from disk and drawn."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(content(EVIL)), encoding="utf-8")
    with Browser() as browser:
        browser.open(path.as_uri())
        for part in ("#particle", "#marginal-plot", "#pair-plot"):
            browser.wait(f"document.querySelector('{part}').dataset.ready")
        yield browser


def choose(page, identifier, value, event="input"):
    page.evaluate(
        f"(() => {{ const part = document.getElementById('{identifier}');"
        f" part.value = {value!r}; part.dispatchEvent(new Event('{event}')); }})()"
    )


def test_nothing_fails_and_nothing_leaves_the_page(page):
    assert page.errors == []
    outside = [u for u in page.requests if not u.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert sum(u.startswith("file:") for u in page.requests) == 1


def test_the_browser_runs_no_script_but_those_of_the_page(page):
    inject = (
        "(() => {{ const part = document.createElement('script'); part.textContent = {!r};"
        " document.head.append(part); return window.foreign === undefined; }})()"
    )
    assert page.evaluate(inject.format("window.foreign = 1"))
    assert page.evaluate("typeof Plotly") == "object"


def test_hostile_text_is_shown_as_text(page):
    assert page.evaluate("document.querySelector('h1').textContent") == EVIL
    assert page.evaluate("document.querySelectorAll('img[src^=\"http\"], [onerror]').length") == 0
    assert EVIL in page.evaluate(CELLS.format(3))
    assert page.evaluate("document.querySelector('#suspects td:nth-child(4)').textContent") == EVIL
    assert EVIL in page.evaluate("document.querySelector('#pair-candidates').textContent")


def test_the_grain_table_sorts_both_ways_with_missing_values_last(page):
    press = "document.querySelectorAll('#grains th button')[1].click()"
    page.evaluate(press)
    assert page.evaluate(CELLS.format(1)) == ["0.8", "0.9", "\u2013"]
    page.evaluate(press)
    assert page.evaluate(CELLS.format(1)) == ["0.9", "0.8", "\u2013"]


def test_the_grain_table_filters(page):
    choose(page, "filter-column", "1")
    choose(page, "filter-least", "0.85")
    assert page.evaluate(CELLS.format(1)) == ["0.9"]
    choose(page, "filter-least", "")
    assert len(page.evaluate(CELLS.format(1))) == 3


def test_the_particle_is_drawn_and_a_click_picks_a_grain(page, tmp_path):
    shown = page.evaluate("document.querySelector('#mesh-count').textContent")
    assert shown == "3 of 3 grains shown"
    page.evaluate("document.querySelector('#particle').scrollIntoView({block: 'center'})")
    page.screenshot(tmp_path / "particle.png", "#particle")
    drawn = Image.open(tmp_path / "particle.png").convert("RGB")
    middle = drawn.crop([size * part // 4 for part in (1, 3) for size in drawn.size])
    assert len(middle.getcolors(2**24)) > 100  # shaded grains, not an empty frame

    box = page.evaluate(
        "(() => { const b = document.querySelector('#particle').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for step in range(-6, 7):  # somewhere along this line lies a grain
        page.click(box[0] + 15 * step, box[1] + 10 * step)
        if page.evaluate("document.querySelector('#grains tr.picked') !== null"):
            break
        time.sleep(0.2)
    picked = page.evaluate("document.querySelector('#grains tr.picked').cells[0].textContent")
    assert (
        page.evaluate("document.querySelector('#mesh-picked b').textContent") == f"grain {picked}"
    )


def test_a_cut_removes_grains_and_shows_its_plane(page):
    choose(page, "mesh-axis", "0")
    choose(page, "mesh-cut", "0.3")
    page.wait("document.querySelector('#mesh-count').textContent.startsWith('2 of 3')")
    traces = page.evaluate("document.querySelector('#particle').data.map((t) => Array.from(t.x))")
    plane = set(traces[1])
    assert len(plane) == 1  # the section lies in the plane x = constant
    assert max(traces[1]) == pytest.approx(0.3 * 0.52, abs=0.03)
    choose(page, "mesh-cut", "1")
    page.wait("document.querySelector('#mesh-count').textContent.startsWith('3 of 3')")


def test_a_suspect_is_picked_in_the_slices_the_table_and_the_particle(page):
    page.evaluate("document.querySelector('#suspects tbody tr').click()")
    assert (
        page.evaluate("document.querySelector('#slice-number').textContent") == f"slice 3 ({EVIL})"
    )
    assert page.evaluate("document.querySelector('#grains tr.picked').cells[0].textContent") == "12"
    assert page.evaluate("document.querySelector('#mesh-picked b').textContent") == "grain 12"


def test_suspects_and_grains_are_gone_through_by_keys(page):
    key = (
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {{ key: '{}', bubbles: true }}))"
    )
    first = "document.querySelector('#suspects tbody tr')"
    assert page.evaluate("document.querySelectorAll('#suspects tr[tabindex=\"0\"]').length") == 1
    page.evaluate(f"{first}.focus()")
    page.evaluate(key.format("Enter"))
    assert page.evaluate(f"{first}.getAttribute('aria-current')") == "true"
    page.evaluate(key.format("ArrowDown"))
    assert (
        page.evaluate("document.querySelector('#slice-number').textContent") == f"slice 6 ({EVIL})"
    )
    assert page.evaluate(f"{first}.hasAttribute('aria-current')") is False
    page.evaluate(key.format("ArrowUp"))
    assert page.evaluate("document.querySelector('#mesh-picked b').textContent") == "grain 12"
    page.evaluate("document.querySelector('#grains tbody tr').focus()")
    page.evaluate(key.format(" "))
    at = "document.querySelector('#mesh-picked b').textContent"
    before = page.evaluate(at)
    page.evaluate(key.format("ArrowDown"))  # the table is drawn anew, and keeps the focus
    assert page.evaluate(at) != before
    picked = "document.activeElement.matches('#grains tr.picked')"
    assert page.evaluate(picked)


def test_buttons_turn_the_particle_and_bring_it_back(page):
    eye = (
        "(({ x, y, z }) => [x, y, z])(document.querySelector('#particle').layout.scene.camera.eye)"
    )
    press = (
        "[...document.querySelectorAll('[data-turn]')].find((b) => b.textContent === '{}').click()"
    )
    first = page.evaluate(eye)
    page.evaluate(press.format("turn right"))
    page.wait(f"Math.abs({eye}[0] - ({first[0]})) > 0.05")
    turned = page.evaluate(eye)
    assert turned[2] == pytest.approx(first[2])
    assert turned[0] ** 2 + turned[1] ** 2 == pytest.approx(first[0] ** 2 + first[1] ** 2)
    choose(page, "mesh-colour", page.evaluate("document.querySelector('#mesh-colour').value"))
    time.sleep(0.5)
    assert page.evaluate(eye) == pytest.approx(turned)  # another colour leaves the view
    page.evaluate(press.format("first view"))
    page.wait(f"Math.abs({eye}[0] - ({first[0]})) < 1e-9")


def test_slices_have_a_scale_and_the_particle_a_picture_for_paper(page):
    assert page.evaluate("document.querySelector('.scale-bar').textContent").endswith("\u00b5m")
    page.wait("document.querySelector('#particle-picture').src.startsWith('data:image/png')")


def test_candidates_are_switched(page):
    curves = "document.querySelector('#marginal-plot').data.length - 1"
    assert page.evaluate(curves) == 1
    page.evaluate("document.querySelectorAll('#marginal-candidates input')[1].click()")
    page.wait(f"{curves} === 2")
    page.evaluate("document.querySelectorAll('#pair-candidates input')[1].click()")
    page.wait("document.querySelector('#pair-plot').data.length === 2")  # no region is known


def test_the_download_is_a_table_of_all_columns(page):
    page.evaluate(
        "window.URL.createObjectURL = (blob) => { window.saved = blob; return 'blob:none'; };"
        "HTMLAnchorElement.prototype.click = () => {};"
        "document.querySelector('#download').click()"
    )
    lines = page.evaluate("window.saved.text()").split("\r\n")
    assert lines[0] == "label,sphericity,touches_window,note"
    assert len(lines) == 5


def test_dark_colours_follow_the_reader(page):
    shade = "getComputedStyle(document.body).backgroundColor"
    page.prefer("light")
    light = page.evaluate(shade)
    page.prefer("dark")
    assert page.evaluate(shade) != light
    page.prefer("light")
