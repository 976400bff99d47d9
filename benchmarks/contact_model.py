"""Fit the model of contacts that comes with the package, on virtual particles of two kinds.

`python -m benchmarks.contact_model FOLDER [--without NAME]` keeps particles and predictions
there, and writes `electrode_grains/grains/contact_model.json`; without one of the particles it
prints how the model does on that one, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import coo_array
from sklearn.metrics import roc_auc_score

from benchmarks.measurements.rows import OTHER_CELLS, ROUGH
from benchmarks.specimens import SPACING, Specimen, make_specimen
from electrode_grains.boundary import (
    embedded_network,
    predict_class_probabilities,
    train_boundary_network,
)
from electrode_grains.grains import SegmentationSettings
from electrode_grains.grains.contact_evidence import EMBEDDED, FEATURES, ContactModel, expand
from electrode_grains.grains.labelling import Labels, compact_labels
from electrode_grains.grains.linkage import Linkage, RegionGraph
from electrode_grains.grains.passes import SegmentationState, drop_background, flood
from electrode_grains.phantom import ParticleSettings

PARTICLES: Mapping[str, tuple[int, Mapping[str, float], Mapping[str, float]]] = {
    "own-60": (60, {}, {}),
    "own-61": (61, {}, {}),
    "other-90": (90, OTHER_CELLS, ROUGH),
}
SETTINGS = SegmentationSettings(
    merge_mode="iq", merge_evidence="score", minima_depth=0.001, merge_boundary=0.5
)
PURITY = 0.7  # share of a region in one true grain from which it is known what it is
RIDGE = 1e-4
CHANNELS = 3


def particle(name: str, folder: Path) -> tuple[Specimen, NDArray[np.float32]]:
    """A particle and the class probabilities of a network that the default training gives."""
    seed, grown, scan = PARTICLES[name]
    kept, predicted = folder / f"{name}.npz", folder / f"{name}-{CHANNELS}.npy"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **vars(make_specimen(seed, grown=ParticleSettings(**grown), **scan)))
    with np.load(kept) as file:
        made = Specimen(**file)
    if not predicted.exists():
        contrast = made.channels(CHANNELS)
        network = train_boundary_network(
            contrast, made.labels(), spacing=SPACING, initial_network=embedded_network()
        ).network
        np.save(predicted, predict_class_probabilities(network, contrast))
    return made, np.load(predicted)


class Recorder(Linkage):
    """A linkage that keeps what the boundary score is asked for, and the answer of the truth."""

    def __init__(self, labels: Labels, probability, truth) -> None:
        super().__init__(RegionGraph.of_labels(labels, probability, None, SETTINGS), SETTINGS)
        ones = np.ones(labels.size, np.int64)
        counts = coo_array((ones, (labels.ravel(), truth.ravel()))).toarray()
        self.counts = counts.astype(np.int64)
        self.rows: list[NDArray[np.float64]] = []
        self.apart: list[bool] = []

    def boundary_score(self, a: int, b: int) -> float:
        main = [int(self.counts[region, 1:].argmax()) + 1 for region in (a, b)]
        pairs = zip((a, b), main, strict=True)
        pure = [self.counts[r, grain] > PURITY * self.counts[r].sum() for r, grain in pairs]
        if all(pure):
            self.rows.append(self.features(a, b))
            self.apart.append(main[0] != main[1])
        return super().boundary_score(a, b)

    def _join(self, a: int, b: int) -> None:
        self.counts[a] += self.counts[b]
        super()._join(a, b)


def contacts(
    made: Specimen, probability: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features of all contacts that an agglomeration meets, and whether a boundary is there."""
    state = SegmentationState(
        labels=np.zeros(made.grains.shape, np.int32),
        class_probability=probability,
        measured=np.isfinite(made.image_quality),
    )
    for step in (flood, drop_background):
        state, _ = step(state, SETTINGS)
    labels = compact_labels(state.labels)[0]
    recorder = Recorder(labels, probability[0], made.grains)
    recorder.run()
    return np.array(recorder.rows), np.array(recorder.apart)


def fit(features: NDArray[np.float64], apart: NDArray[np.bool_]) -> ContactModel:
    """Logistic regression with a small ridge; contacts without a boundary weigh as much.

    Its constant is moved back, so that it gives the probability of a boundary.
    """
    model = ContactModel(features.mean(axis=0), features.std(axis=0), np.zeros(0))
    terms, target = expand(features, model), apart.astype(float)
    share = target.mean()
    weight = np.where(apart, 0.5 / share, 0.5 / (1 - share)) / len(target)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds = terms @ weights
        slope = terms.T @ (weight * (1 / (1 + np.exp(-log_odds)) - target))
        slopes = np.concatenate([[0], weights[1:]])
        value = (weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum()
        return value + RIDGE / 2 * (slopes**2).sum(), slope + RIDGE * slopes

    start = np.zeros(terms.shape[1])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    best[0] += np.log(share / (1 - share))
    return ContactModel(model.center, model.scale, best)


def fitted(names: Sequence[str], folder: Path) -> ContactModel:
    """A model of the contacts of some particles."""
    seen = [contacts(*particle(name, folder)) for name in names]
    features, apart = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    return fit(features, apart)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", choices=sorted(PARTICLES), help="judge by this one")
    asked = parser.parse_args()
    model = fitted([name for name in PARTICLES if name != asked.without], asked.folder)
    if asked.without is None:
        EMBEDDED.write_text(json.dumps(model.to_dict(), indent=1) + "\n", encoding="utf-8")
        return
    features, apart = contacts(*particle(asked.without, asked.folder))
    scores = expand(features, model) @ model.weights
    print(f"{asked.without}: area under the curve {roc_auc_score(apart, scores):.4f}")
    print(json.dumps(dict(zip(FEATURES, model.center.round(3).tolist(), strict=True))))


if __name__ == "__main__":
    main()
