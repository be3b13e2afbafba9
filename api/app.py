"""The application: routes, problems, guards, documentation and console, put together."""

from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from api import console, examples, idempotency, reference
from api.access import admitted, check_access
from api.asking import nothing_unknown
from api.conditional import Conditional
from api.context import ApiContext
from api.guards import Guards
from api.hub import Hub
from api.idempotency import once
from api.logins import Logins
from api.preview import Viewers
from api.problems import MEDIA_TYPE, Problem, handle_problems
from api.routes import (
    analyze,
    api_keys,
    audit,
    auth,
    camera_lists,
    cameras,
    credentials,
    facts,
    health,
    jobs,
    metrics,
    overview,
    pictures,
    preview,
    reports,
    reviews,
    sites,
    spot_checks,
    statistics,
    stream,
    suitability,
    training,
    uploads,
    users,
)

__all__ = ["ApiContext", "create_app"]

PREFIX: Final = "/api/v1"


def create_app(context: ApiContext) -> FastAPI:
    """The API and the console as an ASGI application.

    Args:
        context: what it stands on; nothing is connected before the first request.
    """
    app = FastAPI(
        title="Maskwatch",
        version="1",
        description="Passages, labels and events of building cameras, and how sure that is.",
        openapi_url="/api/openapi.json",
        # The usual pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        responses={"default": {"description": "Problem details."}},
    )
    app.state.context = context
    app.state.logins = Logins(context.engine, context.sites, context.bus, context.login)
    app.state.hub = Hub(context)
    app.state.viewers = Viewers(context.bus)
    routes = APIRouter(prefix=PREFIX, dependencies=[Depends(admitted), Depends(nothing_unknown), Depends(once)])
    # Lists come first: `import` and `export` are no identifiers.
    for module in (
        sites,
        camera_lists,
        cameras,
        preview,
        suitability,
        credentials,
        facts,
        pictures,
        analyze,
        reviews,
        spot_checks,
        stream,
        uploads,
        jobs,
        training,
        statistics,
        overview,
        reports,
        auth,
        users,
        api_keys,
        audit,
        health,
    ):
        routes.include_router(module.router)
    app.include_router(routes)
    reference.attach(app)
    console.attach(app)
    metrics.attach(app)
    handle_problems(app)
    check_access(app)
    app.add_middleware(Conditional)
    idempotency.attach(app)
    app.add_middleware(Guards, public_url=context.login.public_url)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def close_streams(app: FastAPI) -> None:
    """End the answers that would go on: the server stops."""
    app.state.hub.close()
    app.state.viewers.close()


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once; every answer that is not the expected one is a problem."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        made["components"]["schemas"] |= schema.pop("$defs") | {"Problem": schema} | camera_lists.SCHEMAS
        answer = {
            "description": "Problem details (RFC 9457).",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for path in made["paths"].values():
            for operation in path.values():
                operation["responses"]["default"] = answer
        idempotency.describe(made)
        examples.fill(made)
        app.openapi_schema = made
    return app.openapi_schema
