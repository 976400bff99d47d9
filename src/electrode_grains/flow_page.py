"""The flow in kedro-viz, which changes nothing and answers to this machine alone.

`electrode-grains flow` serves it. `kedro viz run` takes any Host header, by which a page of the web
can reach it under a name of its own, and has an endpoint that writes files. Here steps stand in
their pipelines, which open at a click; for runs they keep their short names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

HOST, PORT = "127.0.0.1", 4141
READING = ("GET", "HEAD")


def close(app: Any) -> Any:
    """Let a FastAPI app answer requests that read, and those to this machine by its own name."""
    from fastapi import Request
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import PlainTextResponse, Response

    async def read_only(request: Request, call_next: Any) -> Response:
        if request.method not in READING:
            return PlainTextResponse("this page only shows", status_code=405)
        response: Response = await call_next(request)
        return response

    app.middleware("http")(read_only)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return app


def grouped(pipelines: Mapping[str, Pipeline]) -> dict[str, Pipeline]:
    """Put the steps of pipelines that are made of others into those, as namespaces.

    Parameters
    ----------
    pipelines : mapping
        As registered. A step belongs to the smallest pipeline that holds it.

    Returns
    -------
    dict
        The same names, steps and datasets; steps of a pipeline that is made of no other stay bare.
    """
    homes: dict[str, str] = {}
    for name in sorted(pipelines, key=lambda name: -len(pipelines[name].nodes)):
        homes.update(dict.fromkeys((node.name for node in pipelines[name].nodes), name))
    shown = {}
    for name, whole in pipelines.items():
        rooms: dict[str, list[Any]] = {}
        for node in whole.nodes:
            rooms.setdefault(homes[node.name], []).append(node)
        shown[name] = whole if len(rooms) < 2 else Pipeline(
            [
                Pipeline(nodes, namespace=room, prefix_datasets_with_namespace=False)
                for room, nodes in rooms.items()
            ]
        )  # fmt: skip
    return shown


def serve(project: Path, environment: str | None, port: int = PORT) -> None:
    """Show the flow of a project until a signal ends it."""
    from kedro_viz import server
    from kedro_viz.api import apps

    create, populate = apps.create_api_app_from_project, server.populate_data
    apps.create_api_app_from_project = lambda *given, **named: close(create(*given, **named))
    server.populate_data = lambda access, catalog, pipelines, extras: populate(
        access, catalog, grouped(pipelines), extras
    )
    server.run_server(
        host=HOST,
        port=port,
        env=environment,
        project_path=str(project),
        package_name=__package__,
    )
