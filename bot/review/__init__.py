"""审签: named people let a revision out, step by step. 先审查后公开.

A sign-off is one person's word on one step of one revision, bound to its digest and to a window of
time. The author of a revision signs none of its steps, and nobody signs two. When the last step
passes, an approval row stands: the one thing deliver believes.

steps     which steps, and who may pass the one that waits
reading   what the pages ask
signing   what a sign-off is made of: revision, window, row, approval
deciding  handed in; passed, returned, referred; taken back
offline   what was signed on paper
standing  trust in a source, and what the machine composed
"""

from bot.review.deciding import decide, revoke, submit
from bot.review.offline import record_offline
from bot.review.reading import shown, trail, waiting_for, why
from bot.review.signing import Decision, usual_window
from bot.review.standing import (
    bound_to,
    end_standing,
    grant_standing,
    take_drafts,
    wake_standing,
)
from bot.review.steps import (
    EMERGENCY_STEPS,
    Staffed,
    authors_of,
    may_sign,
    staffing,
    steps_of,
    unfillable,
)

__all__ = [
    "EMERGENCY_STEPS",
    "Decision",
    "Staffed",
    "authors_of",
    "bound_to",
    "decide",
    "end_standing",
    "grant_standing",
    "may_sign",
    "record_offline",
    "revoke",
    "shown",
    "staffing",
    "steps_of",
    "submit",
    "take_drafts",
    "trail",
    "unfillable",
    "usual_window",
    "waiting_for",
    "wake_standing",
    "why",
]
