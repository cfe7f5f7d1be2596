"""公开栏, the board: a platform of the office's own, like any other.

A public page, an API behind a token (`api`), feeds. Its server may stand on another machine than
the office's worker, which knows it by its API alone. Nothing here reads the office's posts: what
stands on the board is what its API was given.
"""

from __future__ import annotations

from fastapi import APIRouter

from bot.office import Office
from bot.web.board import api, pages
from bot.web.board.pages import Pages
from bot.web.board.store import ensure_board, moderate, renew_token, waiting

__all__ = ["Pages", "ensure_board", "moderate", "renew_token", "router", "waiting"]


def router(office: Office, shown: Pages | None = None) -> APIRouter:
    """Everything under /board. Expects bot/web/static mounted at /static."""
    made = APIRouter()
    made.include_router(api.router(office))
    made.include_router(pages.router(shown or Pages(office)))
    return made
