import csv
import io
import unicodedata

import pandas as pd
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from electrode_grains.commands.new_project import quote
from electrode_grains.datasets.tables import spreadsheet_safe
from electrode_grains.errors import InputError
from electrode_grains.text import FORMULA, literal, printable

SPECIAL = st.text(
    st.sampled_from("${}\\'\"#: =+-@\x1b\x85\u2028\u202e\n\t\ud800é電%&{0}") | st.characters(),
    max_size=20,
)


@given(SPECIAL)
def test_what_is_shown_holds_no_code_that_anything_obeys(text):
    shown = printable(text, lines=False)
    assert all(
        unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in shown
    )
    assert "\u202e" not in shown
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_of_any_script_is_left_as_it_is(text):
    assert printable(text) == text


@given(SPECIAL)
def test_configuration_gives_every_text_back_and_resolves_nothing_in_it(text):
    shown = literal(text)
    read = yaml.safe_load(f"particle:\n  name: {quote(shown)}\n")
    for _ in range(3):  # environments are merged and resolved one after the other
        read = OmegaConf.to_container(OmegaConf.create(read), resolve=True)
    assert read == {"particle": {"name": shown}}
    assert ("${" in text) or shown == printable(text, lines=False)


@given(SPECIAL, SPECIAL)
def test_a_refusal_commands_no_terminal(where, found):
    text = str(InputError("wrong", where=where, found=found))
    assert "\x1b" not in text
    assert "\u202e" not in text


@given(st.lists(SPECIAL | st.floats(allow_nan=False).map(str), min_size=1, max_size=4))
def test_no_cell_of_a_csv_is_a_formula(texts):
    table = pd.DataFrame({"text": texts, "number": range(len(texts))})
    rows = list(csv.reader(io.StringIO(spreadsheet_safe(table).to_csv(index=False))))
    for row, text in zip(rows[1:], texts, strict=True):
        if row[0].startswith(FORMULA):
            float(row[0])
        assert row[0].removeprefix("'") == printable(text).removeprefix("'")


def test_single_precision_keeps_its_digits_beside_text():
    table = pd.DataFrame({"text": ["a"], "number": pd.Series([0.1], dtype="float32")})
    assert spreadsheet_safe(table)["number"].dtype == "float32"
