"""Settings of a study, as its file study.yml has them."""

from __future__ import annotations

from typing import Any

from electrode_grains.base import Settings, setting
from electrode_grains.distributions.settings import Characteristic, SampleSettings


class ComputeSettings(Settings):
    """Where particles are computed, and with what."""

    scheduler_address: str | None = setting(
        None, "of a running dask scheduler, such as tcp://host:8786; null: this machine"
    )
    n_workers: int = setting(
        0, "particles at once on this machine, by dask; 0: one after another, without dask", ge=0
    )
    threads: int | None = setting(
        None, "of each particle; null: the cores of the machine over its particles at once", ge=1
    )
    memory_limit_gb: float | None = setting(
        None, "of each particle, which is ended beyond it; null: no limit", unit="GB", gt=0
    )


class PoolSettings(Settings):
    """What is compared between particles, and how."""

    characteristics: tuple[Characteristic, ...] = setting(
        ("equivalent_diameter_nm", "sphericity", "convexity", "elongation"),
        "compared by mean, spread, distribution and, two at a time, by Kendall's tau",
        min_length=1,
    )
    minimum_grains: int = setting(
        30, "grains that a particle needs to be compared; all are pooled", ge=5
    )
    replicates: int = setting(
        999, "resamples of whole particles, and permutations of particles between groups", ge=99
    )
    fitted_grains: int = setting(
        20_000, "grains at most on which families of distributions compete", ge=100
    )
    seed: int = setting(11, "of resamples, permutations and choices of grains", ge=0)


class StudySettings(Settings):
    """Content of study.yml."""

    name: str = setting("study", "heads the report and names the run in MLflow", min_length=1)
    compute: ComputeSettings = setting(ComputeSettings(), "where particles are computed")
    sample: SampleSettings = setting(SampleSettings(), "which grains enter")
    pool: PoolSettings = setting(PoolSettings(), "what is compared, and how")
    settings: dict[str, Any] = setting(
        {}, "of all particles, as in conf/base of a project; columns of particles.csv go before"
    )
    mlflow: dict[str, Any] = setting({}, "as in mlflow.yml; the store is that of the study")
