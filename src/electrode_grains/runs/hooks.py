"""Kedro hooks that verify what is loaded and record what is saved."""

from __future__ import annotations

from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.runs.project import open_provenance
from electrode_grains.runs.recorder import RunRecorder


class ManifestHooks:
    """Verify what is loaded, and record what is saved with all that it was made from."""

    def __init__(self, configuration: RunConfiguration) -> None:
        self._configuration = configuration

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the parameters, all of them validated."""
        self._context = context

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Begin to record."""
        provenance = open_provenance(self._context, self._configuration, pipeline, catalog)
        self._recorder = RunRecorder(provenance)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Refuse files that are not what their step wrote, and digest what is loaded."""
        self._recorder.before_load(node, dataset_name)

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Refuse what changed while it was loaded."""
        self._recorder.after_load(node, dataset_name)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note the settings."""
        self._recorder.begin(node)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Note what the step took."""
        self._recorder.end(node)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Refuse to replace what is not of this project's making; claim the rest."""
        self._recorder.before_save(node, dataset_name, data)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Write the manifest."""
        self._recorder.after_save(node, dataset_name, data)
