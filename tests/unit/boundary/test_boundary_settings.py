from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.boundary import (
    AnnotationSplit,
    BoundaryScores,
    ContrastSettings,
    HeldOutScores,
    PredictionSettings,
    SplitSettings,
    TrainingSettings,
    ValidationScores,
    ValidationSettings,
)
from electrode_grains.boundary.settings import learning_rate_at, planned_epochs
from electrode_grains.boundary.training import check_history
from electrode_grains.errors import InputError

CONFIGURED = Path(__file__).parents[3] / "conf" / "base" / "parameters_boundary_model.yml"
MODELS = {
    "contrast": ContrastSettings,
    "split": SplitSettings,
    "validation": ValidationSettings,
    "training": TrainingSettings,
    "prediction": PredictionSettings,
}


@pytest.mark.parametrize("section", MODELS)
def test_conf_base_holds_every_setting_with_its_default(section):
    text = CONFIGURED.read_text().replace("${globals:laue_group}", '"-3m"')
    text = text.replace("${globals:pseudo_symmetry, auto}", "auto")
    values = yaml.safe_load(text)["boundary_model"][section]

    assert set(values) == set(MODELS[section].model_fields)
    assert MODELS[section](**values) == MODELS[section]()


@pytest.mark.parametrize("model", MODELS.values())
def test_every_setting_says_what_it_means(model):
    assert all(field.description for field in model.model_fields.values())


@given(losses=st.lists(st.floats(0.01, 10), max_size=40), span=st.integers(1, 5))
def test_a_plateau_never_moves_once_it_was_reached(losses, span):
    settings = TrainingSettings(schedule="plateau", plateau_epochs=span, epochs=30)
    planned = [planned_epochs(losses[:done], settings) for done in range(len(losses) + 1)]

    assert all(later in (before, planned[-1]) for before, later in pairwise(planned))
    assert all(2 * span <= epochs <= 30 for epochs in planned)


def test_a_loss_that_falls_trains_on_and_one_that_stays_ends():
    settings = TrainingSettings(schedule="plateau", plateau_epochs=3, epochs=50)
    falling = [0.9**epoch for epoch in range(20)]

    assert planned_epochs(falling, settings) == 50
    assert planned_epochs(falling + [0.1] * 9, settings) == 20 + 6 + 3


def test_the_rate_of_a_plateau_stays_then_falls_to_nearly_zero():
    settings = TrainingSettings(schedule="plateau", plateau_epochs=2, steps_per_epoch=25)
    rates = [learning_rate_at(step, 200, settings) for step in range(200)]

    assert rates[10:150] == [settings.learning_rate] * 140
    assert all(after < before for before, after in pairwise(rates[150:]))
    assert 0 < rates[-1] < 0.01 * settings.learning_rate


def test_a_slice_cannot_train_and_judge():
    with pytest.raises(InputError, match=r"\[4\]"):
        AnnotationSplit(train=(4, 8), held_out=(4,))


def test_a_split_comes_back_from_its_file():
    split = AnnotationSplit(train=(1, 8), held_out=(4,))
    assert AnnotationSplit.from_dict(split.to_dict()) == split


def test_results_without_a_slice_are_empty():
    assert HeldOutScores().to_dict() == ValidationScores().to_dict() == {}
    assert HeldOutScores.from_dict({}) == HeldOutScores()
    assert ValidationScores.from_dict({}) == ValidationScores()


def test_scores_of_another_version_are_refused():
    with pytest.raises(KeyError, match="reliability"):
        BoundaryScores.from_dict({"boundary_f1": 0.8})


def test_a_loss_that_is_not_finite_is_no_history():
    with pytest.raises(InputError, match="finite loss"):
        check_history(pd.DataFrame({"epoch": [0, 1], "loss": [1.0, np.nan]}))
    with pytest.raises(InputError, match="lacks loss"):
        check_history(pd.DataFrame({"epoch": [0]}))
