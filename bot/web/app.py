"""The application: console, board and health in one FastAPI, wired to an office."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bot.office import Office
from bot.web import api, board, door, faults, health, pages
from bot.web.render import HERE, environment
from bot.web.shield import Shield


class Static(StaticFiles):
    """Files a browser may keep for good: their address carries their digest."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if scope["query_string"].startswith(b"v="):
            answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def build(office: Office) -> FastAPI:
    """The whole web side of `office`. No worker is started here."""
    app = FastAPI(title="公开", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.office = office
    app.state.templates = environment(office)
    public = board.Pages(office)
    app.state.public_problem = public.problem
    app.mount("/static", Static(directory=HERE / "static"), name="static")
    routers: list[APIRouter] = [
        health.router,
        door.router,
        board.router(office, public),
        api.router(),
        *pages.ROUTERS,
    ]
    for router in routers:
        app.include_router(router)
    faults.install(app)
    app.add_middleware(Shield, default=office.config.language, on_fault=faults.fault)
    app.add_middleware(GZipMiddleware, minimum_size=800, compresslevel=6)
    return app
