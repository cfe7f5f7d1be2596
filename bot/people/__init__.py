"""Units in a tree, people, their roles there, and what a role may do.

Every stage function asks `require` before it changes anything; pages and commands only ask
`may` to know what to show. A role granted at a unit holds for the units below it.

roles     units, roles, and what they allow
persons   people and their passwords
duty      who is on duty, per unit and day (asked by its own name)
"""

from bot.people.persons import (
    actor,
    add,
    admin_of,
    administers,
    another,
    by_login,
    disable,
    grant,
    matches,
    put_to_sleep,
    readmit,
    reissue,
    revoke,
    set_password,
    shut_out,
    sign_out,
    words_aloud,
)
from bot.people.roles import (
    RIGHTS,
    ROLE_WORDS,
    WORDS,
    able,
    ancestry,
    below,
    everyone,
    everywhere,
    lacking,
    may,
    named,
    reads_trail,
    require,
    require_anywhere,
    require_everywhere,
    rights,
    unit_ids,
    unit_of,
)

__all__ = [
    "RIGHTS",
    "ROLE_WORDS",
    "WORDS",
    "able",
    "actor",
    "add",
    "admin_of",
    "administers",
    "ancestry",
    "another",
    "below",
    "by_login",
    "disable",
    "everyone",
    "everywhere",
    "grant",
    "lacking",
    "matches",
    "may",
    "named",
    "put_to_sleep",
    "readmit",
    "reads_trail",
    "reissue",
    "require",
    "require_anywhere",
    "require_everywhere",
    "revoke",
    "rights",
    "set_password",
    "shut_out",
    "sign_out",
    "unit_ids",
    "unit_of",
    "words_aloud",
]
