"""Kill -9 runs of the tiny pipeline at their writes and at random moments, each after the last.

A program of `test_reliability.py`: python killed_runs.py FOLDER KILLS quick|all. FOLDER may hold
all results, or nothing. Half of the runs do everything that is not up to date, as a user would
after a kill; the others are forced to do a step, in part with another setting, so that all steps
are hit. A last run is left undisturbed; where the kills fell is printed as JSON.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from forked_runs import StepHandler, Watcher, begin_run, load_everything

ALL = ("--pipelines", "demo")
REFUSED = 2
SEED = 7
WAYS = ("at a write", "in a write", "at a write", "in a write", "at a moment")
LOCK = 2  # changes that taking the lock makes
START = 0.4  # seconds before the first step begins


@dataclass(frozen=True)
class Step:
    """What is forced: steps, about how many changes and seconds they take, another setting."""

    names: str
    changes: int
    seconds: float
    setting: str = ""


# In their order, so that what a killed step leaves is made again by the runs that follow.
QUICK = (
    Step("read_stack", 90, 1),
    Step("register_slices", 6, 1),
    Step("align_orientations", 50, 1),
    Step("align_annotations", 30, 1),
    Step("build_contrast", 40, 1),
    Step("draw_alignment", 30, 3),
    Step("predict_probabilities", 40, 1),
    Step("draw_boundary_model", 45, 4),
    Step("find_basins", 25, 1, "segmentation.grains.minima_depth=0.03"),
    Step("form_grains,separate_voids", 70, 2, "segmentation.grains.minimum_voxels=12"),
    Step("draw_segmentation", 20, 2),
    Step("list_suspects", 10, 1),
    Step("measure_particle", 20, 1, "characterization.measure.low_angle_degrees=14"),
    Step("compare_with_truth", 10, 1),
    Step("draw_grains", 20, 2),
    Step("select_grains,fit_marginals", 150, 2, "modelling.sample.minimum_voxels=12"),
    Step("compare_families,derive_distributions", 12, 2),
    Step("draw_candidates", 8, 1),
    Step("draw_distributions", 40, 4),
    Step("tabulate", 55, 1),
    Step("write_report", 30, 3),
)
SLOW = (
    Step("grow_particle,scan_particle", 250, 4, "acquisition.scan.seed=22"),
    Step("align_image_quality", 25, 1, "preprocessing.alignment.spline_order=1"),
    Step("split_annotations,begin_training,validate_network", 60, 15),
    Step("train_network", 60, 12, "boundary_model.training.seed=2"),
    Step("choose_settings,score_segmentation", 20, 3),
    Step("compare_joint_models", 8, 3),
    Step("fit_copulas", 900, 12),
)


@dataclass(frozen=True)
class Kill:
    """Where a kill fell: how it was chosen, in which step, and the change begun last."""

    how: str
    step: str
    change: str
    place: str


class Killer:
    """Runs the pipeline in a folder and kills it."""

    def __init__(self, data: Path, notes: Path) -> None:
        self._data, self._notes, self._shown = data, notes / "changes", notes / "shown"
        self._chance = random.Random(SEED)
        self._ways = itertools.cycle(WAYS)
        self.kills: list[Kill] = []
        self.failures: list[str] = []

    def run(self, words: tuple[str, ...], changes: int, seconds: float) -> bool:
        """Begin a run and kill it within some changes or seconds; False where it ends before."""
        how = next(self._ways)
        at = LOCK + self._chance.randint(1, changes) if how != "at a moment" else None
        after = START + self._chance.uniform(0, seconds)
        killed = self._killed(words, how, at, after)
        if killed:
            self.kills.append(self._fallen(how))
            sys.stderr.write(f"{len(self.kills)}: {self.kills[-1]}\n")  # for who waits
        return killed

    def finish(self, *forced: str) -> str:
        """Leave a run undisturbed, perhaps of forced steps, and return what it shows."""
        self._killed((*ALL, *forced), "never", None, 0)
        return self._shown.read_text()

    def _killed(self, words: tuple[str, ...], how: str, at: int | None, after: float) -> bool:
        here, there = os.pipe()
        process = begin_run(words, self._shown, lambda: self._watch(how, at, there))
        os.close(there)
        if how == "in a write" and os.read(here, 1):
            time.sleep(10 ** self._chance.uniform(-5, -2))
            os.kill(process, signal.SIGKILL)
        elif how == "at a moment" and not select.select([here], [], [], after)[0]:
            os.kill(process, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.close(here)
        refused = code == REFUSED and "--force" in words  # a step on files of another setting
        if code not in (0, -signal.SIGKILL) and not refused:
            self.failures.append(f"{words} ended with {code}: {self._shown.read_text()[-5000:]}")
        return code == -signal.SIGKILL

    def _watch(self, how: str, at: int | None, ready: int) -> None:
        """In the process of the run: note every change, and act at one of them."""
        notes = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        count = 0

        def tell(kind: str, place: str) -> None:
            nonlocal count
            os.write(notes, f"{kind}\t{place}\n".encode())
            count += kind != "step"
            if count == at and how == "at a write":
                os.kill(os.getpid(), signal.SIGKILL)
            elif count == at:
                os.write(ready, b"!")

        logging.getLogger("electrode_grains.hooks").addHandler(StepHandler(tell))
        Watcher(self._data, tell).begin()

    def _fallen(self, how: str) -> Kill:
        step, change, place = "before the first", "none", ""
        for line in self._notes.read_text().splitlines():
            kind, name = line.split("\t")
            if kind == "step":
                step, change, place = name, "none", ""
            else:
                change, place = kind, name
        return Kill(how, step, change, place)


def main(data: Path, wanted: int, steps: tuple[Step, ...]) -> None:
    """Kill as often as wanted, then let a run finish."""
    notes = data.with_name(data.name + "_notes")
    notes.mkdir()
    load_everything(data)
    killer, chance = Killer(data, notes), random.Random(SEED)
    begun = time.monotonic()
    if not any(data.iterdir()):
        while len(killer.kills) < wanted // 4 and killer.run(ALL, 300, 15):
            pass
        killer.finish()
    for number in itertools.count():
        step = steps[number % len(steps)]
        if number % 5 == 0:
            (data / "mlflow.db").unlink(missing_ok=True)  # the next run makes a new store
        setting = ("--params", step.setting) if step.setting and chance.random() < 0.5 else ()
        for words in ((*ALL, "--nodes", step.names, "--force", *setting), ALL):
            if len(killer.kills) < wanted:
                killer.run(words, step.changes, step.seconds)
        if len(killer.kills) >= wanted:
            break
    killer.finish()
    # The store was removed now and then: this makes it, also where no kill left anything to do.
    killer.finish("--nodes", steps[1].names, "--force")
    found = {
        "kills": [asdict(kill) for kill in killer.kills],
        "failures": killer.failures,
        "again": killer.finish(),
        "seconds": time.monotonic() - begun,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), QUICK if sys.argv[3] == "quick" else (*QUICK, *SLOW))
