import numpy as np
import pytest

from electrode_grains.figures import ReportContent, report_page
from electrode_grains.figures.abstract import mean_with_error, summarize

FITS = {
    "equivalent_diameter_nm": {"mean": 518.4, "std": 128.0, "sample_size": 400, "unit": "nm"},
    "sphericity": {"mean": 0.8126, "std": 0.05, "sample_size": 400, "unit": "1"},
}
WHOLE = ReportContent(
    "NMC 3",
    particle_summary={"grain_count": 640, "whole_grain_count": 400},
    scan_index={"slices": ["a", "b", "c"]},
    slice_transforms={"mode": "none"},
    marginal_fits={"characteristics": FITS},
    validation_scores={
        "slices": [{}, {}],
        "mean": {"boundary_f1": 0.9},
        "std": {"boundary_f1": 0.01},
        "baseline_f1": 0.6,
    },
    segmentation_scores={"truth": {"matched": {"f1": 0.97}, "adapted_rand_error": 0.03}},
    provenance={"computed": "2026-11-29", "electrode_grains": "0.1.0", "machine": "Linux, 2 cores"},
)


def test_a_whole_run_is_told_in_one_paragraph():
    assert summarize(WHOLE) == (
        "640 grains from 3 slices, taken as aligned; 400 of them lie wholly inside what was "
        "measured and enter the statistics. Means with their standard errors: equivalent diameter "
        "518 ± 6 nm (standard deviation 128), sphericity 0.813 ± 0.003 (standard deviation 0.050). "
        "On 2 annotated slices unseen in training, boundaries have F1 0.900 ± 0.010; a threshold "
        "of image quality 0.600. The particle is virtual, so that its grains are known: F1 of "
        "matched grains 0.970, adapted Rand error 0.030. Computed 2026-11-29 by Electrode Grains "
        "0.1.0 on Linux, 2 cores."
    )


@pytest.mark.parametrize(
    ("shift", "said"), [(0.0, "left as scanned, since no drift was found"), (0.4, "aligned by")]
)
def test_slices_that_did_not_move_are_not_called_aligned(shift, said):
    matrices = np.tile(np.eye(3), (3, 1, 1))
    matrices[1, 0, 2] = shift
    content = ReportContent(
        "A",
        particle_summary={"grain_count": 5},
        scan_index={"slices": ["a", "b", "c"]},
        slice_transforms={"mode": "rigid_body", "matrices": matrices.tolist()},
    )
    assert said in summarize(content)


def test_the_measured_share_is_written_in_percent():
    content = ReportContent("A", particle_summary={"measured_share": 0.9876})
    assert "<strong>98.8%</strong>" in report_page(content)


def test_what_is_missing_is_not_spoken_of():
    assert summarize(ReportContent("A")) == ""
    assert 'class="abstract"' not in report_page(ReportContent("A"))
    map_of_grains = ReportContent("A", particle_summary={"grain_count": 5})
    assert summarize(map_of_grains) == "5 grains."


def test_the_standard_error_is_that_of_a_mean():
    fit = {"mean": 2.0, "std": 0.5, "sample_size": 25}
    assert mean_with_error(fit, 2) == "2.00 ± 0.10"


@pytest.mark.parametrize("missing", ["mean", "std", "sample_size"])
def test_a_sample_without_spread_has_no_mean_at_the_top(missing):
    assert mean_with_error({"mean": 2.0, "std": 0.5, "sample_size": 25} | {missing: None}, 2) == ""


def test_the_page_begins_with_the_paragraph_then_means_then_warnings():
    page = report_page(
        ReportContent("A", particle_summary={"grain_count": 5}, warnings=["beware"],
                      marginal_fits={"characteristics": FITS})
    )  # fmt: skip
    places = [page.index(text) for text in ("5 grains.", "518 ± 6", "beware")]
    assert places == sorted(places)
    assert '<details class="warnings" role="note" open>' in page
