"""成稿: posts and their revisions. Everything is rendered here; delivering never renders.

A revision is immutable: what its author wrote, and for each account the exact parts that would be
sent, bound by a digest. Screening is part of making one. Changing anything makes a new revision and
voids the sign-off of the one before.

body       what an author writes, and one part of it as it would be sent
rendering  a body on one account: fitted, screened, held against what the platform takes
occasion   what screening knows beside a text: the day it is read, what was sent before
cards      a text as a picture; lines: how Chinese text is broken into lines
filling    a template filled with an entry's fields: a body
reading    posts, revisions and items as they stand
drafting   making a post, revising it, putting it away
catalogue  new items become drafts when their turn comes, or at a person's word
series     written by a template at a person's word: updates of an emergency, corrections too
answering  answers to the public, withdrawals
templating a template tried on real entries, and kept when it renders
sent       what of a post stands on platforms now
reposting  what one unit asks others to repost
writings   what a person is typing, kept before it is a revision
"""

from bot.compose.answering import answer, withdrawal
from bot.compose.body import Body, Card, Cut, Rendered
from bot.compose.catalogue import compose_due, from_item
from bot.compose.drafting import (
    NO_CARD,
    card_for,
    close,
    create,
    draw_card,
    drop_card,
    kept,
    revise,
    same_words,
)
from bot.compose.filling import body_from, fields_of, tried
from bot.compose.reading import (
    account_keys,
    came_back,
    current,
    item_of,
    listing,
    locked,
    numbered,
    one,
    revisions_of,
    source_moved,
)
from bot.compose.rendering import preview
from bot.compose.reposting import ask_reposts, call_off_repost, candidates, reposts_of
from bot.compose.series import correction, follow_up, from_template
from bot.compose.templating import (
    keep_template,
    line_in,
    prove_template,
    rehearse,
    save_template,
    subject_of,
    template_file,
)
from bot.compose.writings import (
    drop_writing,
    keep_writing,
    new_writings,
    open_writing,
    others_writing,
    writing,
    writings_of,
)

__all__ = [
    "NO_CARD",
    "Body",
    "Card",
    "Cut",
    "Rendered",
    "account_keys",
    "answer",
    "ask_reposts",
    "body_from",
    "call_off_repost",
    "came_back",
    "candidates",
    "card_for",
    "close",
    "compose_due",
    "correction",
    "create",
    "current",
    "draw_card",
    "drop_card",
    "drop_writing",
    "fields_of",
    "follow_up",
    "from_item",
    "from_template",
    "item_of",
    "keep_template",
    "keep_writing",
    "kept",
    "line_in",
    "listing",
    "locked",
    "new_writings",
    "numbered",
    "one",
    "open_writing",
    "others_writing",
    "preview",
    "prove_template",
    "rehearse",
    "reposts_of",
    "revise",
    "revisions_of",
    "same_words",
    "save_template",
    "source_moved",
    "subject_of",
    "template_file",
    "tried",
    "withdrawal",
    "writing",
    "writings_of",
]
