"""告知: who is told of which notice, once, and of its end.

standing   what nobody opens a notice of by an act of his: turns to sign, credentials that end, a disk
           that fills, an account that published nothing for days
planning   a notice that opened or ended → one telling for each address it concerns
sending    tellings whose time has come → one message an address; what does not go is tried again
message    the words of it: a sentence, where to look, when; no secrets, nobody's replies

An address is an entry of config.toml's [notices]. A driver and no stage: it asks review whose turn a
step is, and speaks to the outside through bot.courier, a process that ends with its message.
"""

from bot.telling.planning import GATHER, strangers
from bot.telling.sending import tell_due, tell_now, try_out
from bot.telling.standing import idle, look_around, look_at_turns

__all__ = [
    "GATHER",
    "idle",
    "look_around",
    "look_at_turns",
    "strangers",
    "tell_due",
    "tell_now",
    "try_out",
]
