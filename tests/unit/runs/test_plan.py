"""Which steps run, where some results are kept by no file."""

from types import SimpleNamespace

import pytest
from kedro.pipeline import Pipeline, node

from electrode_grains.runs.plan import plan_steps

STEPS = Pipeline(
    [
        node(lambda raw: (raw, raw), "raw", ["hidden", "kept"], name="make"),
        node(lambda kept: kept, "kept", "seen", name="show"),
        node(lambda hidden: hidden, "hidden", "fits", name="fit"),
        node(lambda raw: raw, "raw", "apart", name="another"),
    ]
)


def plan(reasons, **options):
    known = SimpleNamespace(
        store=SimpleNamespace(paths=lambda name: () if name == "hidden" else (name,)),
        outdated_reason=lambda step: reasons.get(step.name),
    )
    return plan_steps(known, STEPS, **options)


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ({}, {}),
        ({"show": "lost"}, {"show": "lost"}),
        ({"another": "lost"}, {"another": "lost"}),
        # What the step in between keeps is made again too, so that its readers run.
        (
            {"fit": "seed: 1 -> 2"},
            {
                "make": "fit needs hidden, which no file keeps",
                "show": "kept is recomputed",
                "fit": "seed: 1 -> 2",
            },
        ),
        (
            {"make": "raw changed"},
            {"make": "raw changed", "show": "kept is recomputed", "fit": "hidden is recomputed"},
        ),
    ],
)
def test_what_runs_with_a_step(reasons, expected):
    found = plan(reasons)
    assert found == expected
    assert list(found) == [step.name for step in STEPS.nodes if step.name in expected]


def test_force_runs_each_step_for_that_reason():
    assert plan({"show": "lost"}, force=True) == dict.fromkeys(
        ("make", "show", "fit", "another"), "forced"
    )
