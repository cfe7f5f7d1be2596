"""The pages of the console, in the order of its rail."""

from __future__ import annotations

from fastapi import APIRouter

from bot.web import (
    accounts,
    calendar,
    entry,
    importing,
    items,
    media,
    moderation,
    moving,
    posts,
    quality,
    queue,
    replies,
    reply,
    review,
    schedules,
    sources,
    staff,
    stop,
    today,
    trail,
    writing,
)

ROUTERS: tuple[APIRouter, ...] = (
    today.router,
    posts.router,
    writing.router,
    entry.router,
    items.router,
    quality.router,
    sources.router,
    review.router,
    calendar.router,
    moving.router,
    schedules.router,
    queue.router,
    moderation.router,
    importing.router,
    replies.router,
    reply.router,
    accounts.router,
    staff.router,
    trail.router,
    stop.router,
    media.router,
)
