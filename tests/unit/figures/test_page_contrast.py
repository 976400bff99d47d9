"""Text of the page stands out from what is below it (WCAG 2.2, level AA), in light and in dark."""

import re
from importlib.resources import files

import pytest

CSS = (files("electrode_grains.figures") / "templates" / "report.css").read_text()
TEXTS, GROUNDS = ("ink", "soft", "accent"), ("paper", "tint", "warn-paper")
TEXT_CONTRAST, EDGE_CONTRAST = 4.5, 3.0  # success criteria 1.4.3 and 1.4.11


def palettes():
    light, dark, _print = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    )
    return {"light": light, "dark": dark}


def luminance(colour):
    """Relative luminance of sRGB, as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's known example


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_can_be_read(mode, text, ground):
    colours = palettes()[mode]

    assert contrast(colours[text], colours[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_outline_of_what_has_the_focus_can_be_seen(mode):
    colours = palettes()[mode]

    assert contrast(colours["accent"], colours["paper"]) >= EDGE_CONTRAST


def test_all_colours_of_text_are_those_that_are_tested():
    used = set(re.findall(r"(?<![\w-])color: var\(--([\w-]+)\)", CSS))

    assert used <= set(TEXTS)
