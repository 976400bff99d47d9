"""Compose pipelines of what there is: one flow for projects that start in different places."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from functools import partial, update_wrapper
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from kedro.pipeline import Node, Pipeline


def compose(steps: Mapping[str, Pipeline], sources: Collection[str]) -> dict[str, Pipeline]:
    """Keep of each pipeline what can run from some raw data.

    Parameters
    ----------
    steps : mapping of str to Pipeline
        In their order.
    sources : collection of str
        Datasets that exist before any step.

    Returns
    -------
    dict of str to Pipeline
        Steps whose inputs are sources or made by kept steps. An input that is missing is left
        out where the step takes it among further keywords, is None where the step accepts None,
        and else drops the step.
    """
    available = set(sources)
    kept: dict[str, Node] = {}
    for node in sum(steps.values(), Pipeline([])).nodes:
        reduced = reduce_inputs(node, available)
        if reduced is not None:
            kept[node.name] = reduced
            available |= set(node.outputs)
    return {
        name: Pipeline([kept[node.name] for node in step.nodes if node.name in kept])
        for name, step in steps.items()
    }


def reduce_inputs(node: Node, available: Collection[str]) -> Node | None:
    """The step without the inputs that are missing; None if it needs one of them."""
    missing = {name for name in node.inputs if not _is_parameter(name) and name not in available}
    if not missing:
        return node
    signature = inspect.signature(node.func)
    named = _by_keyword(node, signature)
    absent = {keyword for keyword, name in named.items() if name in missing}
    declared = signature.parameters.keys()
    hints = get_type_hints(inspect.unwrap(getattr(node.func, "func", node.func)))
    optional = {keyword for keyword in absent if _accepts_none(hints.get(keyword))}
    if (absent & declared) - optional:
        return None
    function = partial(node.func, **dict.fromkeys(absent & declared))
    update_wrapper(function, node.func)
    del vars(function)["__wrapped__"]  # its signature asks for what is bound here
    # Kedro maps inputs by their order, and has no globals of a partial to look hints up.
    remaining = [each for name, each in signature.parameters.items() if name not in absent]
    described = {
        "__signature__": signature.replace(parameters=remaining),
        "__annotations__": {name: hint for name, hint in hints.items() if name not in absent},
    }
    vars(function).update(described)
    inputs = {keyword: name for keyword, name in named.items() if keyword not in absent}
    return Node(function, inputs, node._outputs, name=node.name)


def _by_keyword(node: Node, signature: inspect.Signature) -> dict[str, str]:
    """Names of the inputs by the keyword under which the step takes them."""
    inputs = node._inputs
    if isinstance(inputs, dict):
        return dict(inputs)
    bound = signature.bind(*node.inputs)
    return {keyword: str(name) for keyword, name in bound.arguments.items()}


def _accepts_none(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")
