"""Tests of the stages whose SQL, locks or order of rows matter, once more on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.test_catalog import (  # noqa: F401
    desk,
    test_a_changed_entry_holds_what_came_of_it_and_has_not_gone,
    test_a_feed_that_moves_on_takes_nothing_down,
    test_a_flood_is_over_when_a_person_has_been_through_it,
    test_a_reading_whose_lease_was_lost_is_not_taken_in,
    test_items_are_found_by_state_source_and_words,
)

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("url", ["postgres"], indirect=True),
]
