"""The application: routes, problems, guards, documentation and page, put together."""

from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from api import page, reference
from api.access import admitted, check_access
from api.asking import nothing_unknown
from api.context import ApiContext
from api.guards import Guards
from api.problems import MEDIA_TYPE, Problem, handle_problems
from api.routes import camera_lists, cameras, credentials, facts, health, metrics, sites, statistics, suitability

__all__ = ["ApiContext", "create_app"]

PREFIX: Final = "/api/v1"


def create_app(context: ApiContext) -> FastAPI:
    """The API and the page as an ASGI application.

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
    routes = APIRouter(prefix=PREFIX, dependencies=[Depends(admitted), Depends(nothing_unknown)])
    # Lists come first: `import` and `export` are no identifiers.
    for module in (sites, camera_lists, cameras, suitability, credentials, facts, statistics, health):
        routes.include_router(module.router)
    app.include_router(routes)
    reference.attach(app)
    page.attach(app)
    metrics.attach(app)
    handle_problems(app)
    check_access(app)
    app.add_middleware(Guards)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


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
        app.openapi_schema = made
    return app.openapi_schema
