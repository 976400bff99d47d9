"""Which steps of a pipeline have to run, and why."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from electrode_grains.runs.provenance import Provenance

FORCED = "forced"
RECOMPUTED = "is recomputed"


def plan_steps(
    provenance: Provenance, pipeline: Pipeline, *, force: bool = False
) -> dict[str, str]:
    """Name the steps of a pipeline that have to run, in their order, and the reason.

    A step runs if what it keeps is not up to date, if something that it reads is recomputed, or if
    a step that runs needs something of it that no file keeps.
    """
    makers = {name: node for node in pipeline.nodes for name in node.outputs}
    reasons: dict[str, str] = {}
    for node in pipeline.nodes:  # in an order in which inputs come first
        anew = [name for name in node.inputs if name in makers and makers[name].name in reasons]
        if force:
            reasons[node.name] = FORCED
        elif anew:
            reasons[node.name] = f"{anew[0]} {RECOMPUTED}"
        elif reason := provenance.outdated_reason(node):
            reasons[node.name] = reason
    while True:
        before = len(reasons)
        needed_by = {
            name: node.name
            for node in pipeline.nodes
            if node.name in reasons
            for name in node.inputs
        }
        for node in pipeline.nodes:
            for name in node.inputs:
                if name in makers and makers[name].name in reasons:
                    reasons.setdefault(node.name, f"{name} {RECOMPUTED}")
            for name in node.outputs:
                if name in needed_by and not provenance.store.paths(name):
                    reason = f"{needed_by[name]} needs {name}, which no file keeps"
                    reasons.setdefault(node.name, reason)
        if len(reasons) == before:
            return {
                node.name: reasons[node.name] for node in pipeline.nodes if node.name in reasons
            }
