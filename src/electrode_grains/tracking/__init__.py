"""Experiments in MLflow; only this package and `hooks` know it."""

from electrode_grains.tracking.page import addresses, serve
from electrode_grains.tracking.store import TrackingSettings, make_store, store_address
from electrode_grains.tracking.tracker import (
    HOST_TAG,
    PARENT_TAG,
    PROCESS_TAG,
    Tracker,
    close_tracker,
    current,
    kill_tracker,
    log_epoch,
    log_epoch_and_machine,
    log_study,
    logged_folder,
    open_tracker,
    provenance,
)
from electrode_grains.tracking.views import VIEWS, save_views

__all__ = [
    "HOST_TAG",
    "PARENT_TAG",
    "PROCESS_TAG",
    "VIEWS",
    "Tracker",
    "TrackingSettings",
    "addresses",
    "close_tracker",
    "current",
    "kill_tracker",
    "log_epoch",
    "log_epoch_and_machine",
    "log_study",
    "logged_folder",
    "make_store",
    "open_tracker",
    "provenance",
    "save_views",
    "serve",
    "store_address",
]
