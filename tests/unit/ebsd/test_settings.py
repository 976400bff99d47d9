from pathlib import Path

import yaml

from electrode_grains.ebsd import ReadingOptions, StackSettings
from electrode_grains.ebsd.settings import STRICT, OrientationAnnotationSettings

BASE = Path(__file__).parents[3] / "conf" / "base"


def test_the_configuration_holds_the_defaults_of_the_model():
    written = yaml.safe_load((BASE / "parameters_preprocessing.yml").read_text("utf-8"))
    stack = written["preprocessing"]["stack"]
    stack["laue_group"] = yaml.safe_load((BASE / "globals.yml").read_text("utf-8"))["laue_group"]
    assert stack == StackSettings().model_dump(mode="json")
    assert list(stack) == list(dict.fromkeys(stack))  # every setting is written down


def test_a_stack_passes_its_readers_what_they_may_accept():
    given = StackSettings(accept_missing=True, frames="edax_3", largest_bad_share=0.2)
    assert given.reading_options() == ReadingOptions(
        accept_missing=True, frames="edax_3", largest_bad_share=0.2
    )
    assert StackSettings().reading_options() == STRICT


def test_the_configuration_holds_the_defaults_of_labels_from_orientations():
    file = BASE / "parameters_orientation_annotation.yml"
    written = yaml.safe_load(file.read_text("utf-8"))["orientation_annotation"]
    shared = ("laue_group", "pseudo_symmetry")  # of several steps
    expected = OrientationAnnotationSettings().model_dump(exclude=set(shared))
    assert {name: written[name] for name in written if name not in shared} == expected
