"""Particles of a study put together, before virtual ones are made of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from electrode_grains.commands.study_generate import (
    CONTACTS,
    _common_spacing,
    _members,
    _numbered_anew,
    generation_settings,
)
from electrode_grains.commands.study_table import Particle, Study
from electrode_grains.errors import InputError
from electrode_grains.study import StudySettings
from electrode_grains.volumes import as_volume


@pytest.fixture
def study(tmp_path):
    return Study(
        tmp_path,
        StudySettings(settings={"generation": {"particles": 2}}),
        tuple(
            Particle(name, {"laue_group": "m-3m"}, groups={"batch": batch})
            for name, batch in (("one", "a"), ("two", "b"), ("three", "a"))
        ),
    )


def test_groups_are_chosen_by_their_column(study):
    tables = {name: pd.DataFrame({"label": [1]}) for name in ("one", "two", "three")}
    assert list(_members(study, tables, None)) == ["one", "two", "three"]
    assert list(_members(study, tables, ("batch", "a"))) == ["one", "three"]
    with pytest.raises(InputError, match="expected: a, b"):
        _members(study, tables, ("batch", "c"))
    with pytest.raises(InputError, match="a column of groups"):
        _members(study, tables, ("cycle", "1"))


def test_particles_of_other_voxels_are_named():
    def volume(step):
        return as_volume(np.ones((2, 2, 2), np.int32), (50.0, step, step), "grain_label")

    assert _common_spacing({"one": volume(50.0), "two": volume(50.01)}) == (50.0, 50.0, 50.0)
    with pytest.raises(InputError, match="different voxels") as refusal:
        _common_spacing({"one": volume(50.0), "two": volume(60.0)})
    assert "two" in str(refusal.value)


def test_no_two_grains_share_a_label_and_label_0_stays(study):
    for name in ("one", "two"):
        file = study.project(name) / CONTACTS
        file.parent.mkdir(parents=True)
        pd.DataFrame({"label_a": [0, 1], "label_b": [2, 2]}).to_parquet(file)
    tables = {name: pd.DataFrame({"label": [1, 2]}) for name in ("one", "two")}
    grains, contacts = _numbered_anew(study, tables)
    assert grains["label"].tolist() == [1, 2, 3, 4]
    assert contacts.to_numpy().tolist() == [[0, 2], [1, 2], [0, 4], [3, 4]]


def test_settings_are_those_of_the_study_with_the_laue_group_of_its_table(study):
    (Path(study.folder) / "study.yml").write_text("{}")
    settings = generation_settings(study)
    assert settings.particles == 2
    assert settings.laue_group == "m-3m"
