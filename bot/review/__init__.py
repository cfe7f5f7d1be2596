"""审签: named people let a revision out, step by step. 先审查后公开.

A sign-off is one person's word on one step of one revision, bound to its digest and to a window of
time. The author of a revision signs none of its steps, and nobody signs two. When the last step
passes, an approval row stands: the one thing deliver believes.

steps     which steps, and whether a unit's people can fill them
turns     whose turn a step is, and in whose name he may pass it
delegating  代签: acting in the place of who is away
reading   what the pages ask
signing   what a sign-off is made of: revision, window, row, approval
deciding  handed in; passed, returned, referred; taken back
together  several at once
offline   what was signed on paper
standing  trust in a source, and what the machine composed
"""

from bot.review.deciding import decide, revoke, submit
from bot.review.delegating import (
    delegable,
    delegate,
    delegations_of,
    end_all,
    end_delegation,
    takers,
)
from bot.review.offline import record_offline
from bot.review.reading import all_waiting, shown, signed, trail, waiting_for, why
from bot.review.signing import Decision, usual_window
from bot.review.standing import (
    bound_to,
    end_standing,
    grant_standing,
    grantable,
    standing_list,
    standing_one,
    take_drafts,
    wake_standing,
)
from bot.review.steps import (
    EMERGENCY_STEPS,
    Staffed,
    staffing,
    steps_of,
    unfillable,
    waits_at,
)
from bot.review.together import Ticked, refusal, sign_together
from bot.review.turns import (
    Behalf,
    Names,
    authors,
    behalves,
    in_name,
    may_sign,
    names_for,
    waiting,
    why_not,
)

__all__ = [
    "EMERGENCY_STEPS",
    "Behalf",
    "Decision",
    "Names",
    "Staffed",
    "Ticked",
    "all_waiting",
    "authors",
    "behalves",
    "bound_to",
    "decide",
    "delegable",
    "delegate",
    "delegations_of",
    "end_all",
    "end_delegation",
    "end_standing",
    "grant_standing",
    "grantable",
    "in_name",
    "may_sign",
    "names_for",
    "record_offline",
    "refusal",
    "revoke",
    "shown",
    "sign_together",
    "signed",
    "staffing",
    "standing_list",
    "standing_one",
    "steps_of",
    "submit",
    "take_drafts",
    "takers",
    "trail",
    "unfillable",
    "usual_window",
    "waiting",
    "waiting_for",
    "waits_at",
    "wake_standing",
    "why",
    "why_not",
]
