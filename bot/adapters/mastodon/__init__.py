"""Mastodon, and the servers that speak its API.

adapter   what is asked of a server, and what each answer means
answers   what its JSON says
texts     its HTML as text
"""

from bot.adapters.mastodon.adapter import Mastodon, MastodonOptions

__all__ = ["Mastodon", "MastodonOptions"]
