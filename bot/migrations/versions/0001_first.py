"""The first schema. Written by tests/remake_first.py from bot.db; not by hand."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audits",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("verb", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("data", JSON, nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audits")),
        sa.UniqueConstraint("number", name=op.f("uq_audits_number")),
    )
    op.create_table(
        "board_posts",
        sa.Column("id", ID, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("in_reply_to", sa.Text(), server_default="", nullable=False),
        sa.Column("root_id", ID, nullable=True),
        sa.Column("about_id", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("history", JSON, nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["about_id"], ["board_posts.id"], name=op.f("fk_board_posts_about_id")
        ),
        sa.ForeignKeyConstraint(
            ["root_id"], ["board_posts.id"], name=op.f("fk_board_posts_root_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_posts")),
        sa.UniqueConstraint("key", name=op.f("uq_board_posts_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_board_posts_public_id")),
    )
    op.create_index("ix_board_posts_about_id", "board_posts", ["about_id", "id"], unique=False)
    op.create_index(
        op.f("ix_board_posts_in_reply_to"), "board_posts", ["in_reply_to"], unique=False
    )
    op.create_index("ix_board_posts_root_id", "board_posts", ["root_id", "id"], unique=False)
    op.create_table(
        "boards",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), server_default="", nullable=False),
        sa.Column("salt", sa.Text(), server_default="", nullable=False),
        sa.Column("changes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boards")),
    )
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_hosts")),
    )
    op.create_table(
        "links",
        sa.Column("id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Integer(), server_default="0", nullable=False),
        sa.Column("words", JSON, nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_links_digest")),
    )
    op.create_index("ix_links_due_at", "links", ["due_at"], unique=False)
    op.create_index(
        "ix_links_leased_until",
        "links",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "logins",
        sa.Column("id", ID, nullable=False),
        sa.Column("login", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ok", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logins")),
    )
    op.create_index(op.f("ix_logins_login"), "logins", ["login"], unique=False)
    op.create_index(op.f("ix_logins_origin"), "logins", ["origin"], unique=False)
    op.create_table(
        "media",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("width", sa.Integer(), server_default="0", nullable=False),
        sa.Column("height", sa.Integer(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_media")),
    )
    op.create_table(
        "offices",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("restored_at", sa.BigInteger(), nullable=True),
        sa.Column("planned_at", sa.BigInteger(), nullable=True),
        sa.Column("salt", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offices")),
    )
    op.create_table(
        "people",
        sa.Column("id", ID, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("password", sa.Text(), server_default="", nullable=False),
        sa.Column("must_change", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("asleep", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("totp", sa.Text(), server_default="", nullable=False),
        sa.Column("totp_at", sa.BigInteger(), nullable=True),
        sa.Column("totp_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("login", name=op.f("uq_people_login")),
    )
    op.create_table(
        "units",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("steps", JSON, nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["units.id"], name=op.f("fk_units_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_units")),
        sa.UniqueConstraint("key", name=op.f("uq_units_key")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("adapter", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("options", JSON, nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("broken", JSON, nullable=True),
        sa.Column("identity", sa.Text(), server_default="", nullable=False),
        sa.Column("identity_name", sa.Text(), server_default="", nullable=False),
        sa.Column("identity_url", sa.Text(), server_default="", nullable=False),
        sa.Column("capabilities", JSON, nullable=True),
        sa.Column("credential", sa.Text(), server_default="", nullable=False),
        sa.Column("token_ends", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=True),
        sa.Column("listed_total", sa.Integer(), nullable=True),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("gap_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rhythm", JSON, nullable=True),
        sa.Column("free_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_accounts_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("key", name=op.f("uq_accounts_key")),
    )
    op.create_index("ix_accounts_due_at", "accounts", ["due_at"], unique=False)
    op.create_index(
        "ix_accounts_leased_until",
        "accounts",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "api_writes",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", JSON, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_api_writes_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_writes")),
        sa.UniqueConstraint("person_id", "key", name=op.f("uq_api_writes_person_id_key")),
    )
    op.create_index(op.f("ix_api_writes_at"), "api_writes", ["at"], unique=False)
    op.create_table(
        "board_replies",
        sa.Column("id", ID, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("board_post_id", ID, nullable=False),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("author_name", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["board_post_id"], ["board_posts.id"], name=op.f("fk_board_replies_board_post_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_replies")),
        sa.UniqueConstraint("public_id", name=op.f("uq_board_replies_public_id")),
        sa.UniqueConstraint("secret", name=op.f("uq_board_replies_secret")),
    )
    op.create_index(
        "ix_board_replies_change", "board_replies", ["board_post_id", "change"], unique=False
    )
    op.create_index("ix_board_replies_origin", "board_replies", ["origin", "at"], unique=False)
    op.create_index(
        "ix_board_replies_waiting",
        "board_replies",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting' or pending is not null"),
        postgresql_where=sa.text("state = 'waiting' or pending is not null"),
    )
    op.create_table(
        "delegations",
        sa.Column("id", ID, nullable=False),
        sa.Column("giver_id", ID, nullable=False),
        sa.Column("taker_id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("steps", JSON, nullable=True),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_delegations_ended_by")),
        sa.ForeignKeyConstraint(["giver_id"], ["people.id"], name=op.f("fk_delegations_giver_id")),
        sa.ForeignKeyConstraint(["taker_id"], ["people.id"], name=op.f("fk_delegations_taker_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_delegations_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    op.create_index("ix_delegations_giver_id", "delegations", ["giver_id"], unique=False)
    op.create_index("ix_delegations_taker_id", "delegations", ["taker_id"], unique=False)
    op.create_table(
        "duties",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_duties_person_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_duties_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duties")),
        sa.UniqueConstraint("unit_id", "day", name=op.f("uq_duties_unit_id_day")),
    )
    op.create_table(
        "grants",
        sa.Column("person_id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_grants_person_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_grants_unit_id")),
        sa.PrimaryKeyConstraint("person_id", "unit_id", "role", name=op.f("pk_grants")),
    )
    op.create_table(
        "holds",
        sa.Column("id", ID, nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("target_id", ID, nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("passes", JSON, nullable=True),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("solemn", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["lifted_by"], ["people.id"], name=op.f("fk_holds_lifted_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_holds_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_standing", "holds", ["lifted_at", "scope", "target_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("unit_id", ID, nullable=True),
        sa.Column("say", JSON, nullable=True),
        sa.Column("link", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_notices_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_due_at", "notices", ["due_at"], unique=False)
    op.create_index(
        "ix_notices_leased_until",
        "notices",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_index(
        "uq_notices_open",
        "notices",
        ["key"],
        unique=True,
        sqlite_where=sa.text("closed_at is null"),
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "recoveries",
        sa.Column("person_id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_recoveries_person_id")),
        sa.PrimaryKeyConstraint("person_id", "digest", name=op.f("pk_recoveries")),
    )
    op.create_table(
        "schedules",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_schedules_person_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_schedules")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("half_id", ID, nullable=True),
        sa.Column("csrf", sa.Text(), server_default="", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["half_id"], ["logins.id"], name=op.f("fk_sessions_half_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_table(
        "sources",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("baseline_at", sa.BigInteger(), nullable=True),
        sa.Column("baseline_only", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("etag", sa.Text(), server_default="", nullable=False),
        sa.Column("last_modified", sa.Text(), server_default="", nullable=False),
        sa.Column("memo", JSON, nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("ok_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("problems", JSON, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_sources_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("key", name=op.f("uq_sources_key")),
    )
    op.create_index("ix_sources_due_at", "sources", ["due_at"], unique=False)
    op.create_index(
        "ix_sources_leased_until",
        "sources",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("scopes", JSON, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_tokens_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index("ix_tokens_person_id", "tokens", ["person_id"], unique=False)
    op.create_table(
        "writings",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("window", sa.Text(), server_default="", nullable=False),
        sa.Column("turn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fields", JSON, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_writings_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_writings")),
        sa.UniqueConstraint(
            "person_id", "post_id", "key", name=op.f("uq_writings_person_id_post_id_key")
        ),
    )
    op.create_index("ix_writings_post_id", "writings", ["post_id"], unique=False)
    op.create_table(
        "connectings",
        sa.Column("id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("session", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed", sa.Text(), server_default="", nullable=False),
        sa.Column("found", JSON, nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_connectings_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_connectings_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connectings")),
        sa.UniqueConstraint("state", name=op.f("uq_connectings_state")),
    )
    op.create_table(
        "posts",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("author_id", ID, nullable=True),
        sa.Column("item_id", ID, nullable=True),
        sa.Column("source_id", ID, nullable=True),
        sa.Column("from_items", JSON, nullable=True),
        sa.Column("template", sa.Text(), server_default="", nullable=False),
        sa.Column("accounts", JSON, nullable=True),
        sa.Column("revision_id", ID, nullable=True),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("go_at", sa.BigInteger(), nullable=True),
        sa.Column("latest_at", sa.BigInteger(), nullable=True),
        sa.Column("slot", sa.Text(), server_default="", nullable=False),
        sa.Column("emergency", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("answers_id", ID, nullable=True),
        sa.Column("about_id", ID, nullable=True),
        sa.Column("returned", JSON, nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["people.id"], name=op.f("fk_posts_author_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_posts_source_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_posts_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(
        "ix_posts_about_id",
        "posts",
        ["about_id"],
        unique=False,
        sqlite_where=sa.text("about_id is not null"),
        postgresql_where=sa.text("about_id is not null"),
    )
    op.create_index(
        "ix_posts_answers_id",
        "posts",
        ["answers_id"],
        unique=False,
        sqlite_where=sa.text("answers_id is not null"),
        postgresql_where=sa.text("answers_id is not null"),
    )
    op.create_index("ix_posts_changed_at", "posts", ["changed_at", "id"], unique=False)
    op.create_index("ix_posts_due_at", "posts", ["due_at"], unique=False)
    op.create_index("ix_posts_go_at", "posts", ["go_at"], unique=False)
    op.create_index(op.f("ix_posts_item_id"), "posts", ["item_id"], unique=False)
    op.create_index(
        "ix_posts_leased_until",
        "posts",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_index(
        "ix_posts_state", "posts", ["state", "id", "unit_id", "author_id"], unique=False
    )
    op.create_index("ix_posts_title", "posts", ["unit_id", "title"], unique=False)
    op.create_table(
        "quality",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("column", sa.Text(), server_default="", nullable=False),
        sa.Column("formed", sa.Text(), server_default="", nullable=False),
        sa.Column("public", sa.Text(), server_default="", nullable=False),
        sa.Column("deadline", sa.Text(), server_default="", nullable=False),
        sa.Column("said", JSON, nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_quality_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality")),
    )
    op.create_index(
        "ix_quality_rule", "quality", ["source_id", "rule", "item_id", "id"], unique=False
    )
    op.create_table(
        "quality_checks",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("standing", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_quality_checks_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_checks")),
        sa.UniqueConstraint("source_id", name=op.f("uq_quality_checks_source_id")),
    )
    op.create_table(
        "standings",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("template", sa.Text(), server_default="", nullable=False),
        sa.Column("template_digest", sa.Text(), server_default="", nullable=False),
        sa.Column("accounts", JSON, nullable=True),
        sa.Column("columns", JSON, nullable=True),
        sa.Column("signer_id", ID, nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("daily_max", sa.Integer(), nullable=False),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("asleep", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["signer_id"], ["people.id"], name=op.f("fk_standings_signer_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_standings_source_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_standings_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standings")),
    )
    op.create_table(
        "tellings",
        sa.Column("id", ID, nullable=False),
        sa.Column("notice_id", ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_tellings_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tellings")),
        sa.UniqueConstraint(
            "notice_id", "address", "kind", name=op.f("uq_tellings_notice_id_address_kind")
        ),
    )
    op.create_index("ix_tellings_address", "tellings", ["address", "state"], unique=False)
    op.create_index("ix_tellings_due_at", "tellings", ["due_at"], unique=False)
    op.create_index(
        "ix_tellings_leased_until",
        "tellings",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "items",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("post_id", ID, nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("column", sa.Text(), server_default="", nullable=False),
        sa.Column("document_number", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entry", JSON, nullable=True),
        sa.Column("waits", JSON, nullable=True),
        sa.Column("by_id", ID, nullable=True),
        sa.Column("from_unit_id", ID, nullable=True),
        sa.Column("returned", sa.Text(), server_default="", nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("missing", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["people.id"], name=op.f("fk_items_by_id")),
        sa.ForeignKeyConstraint(["from_unit_id"], ["units.id"], name=op.f("fk_items_from_unit_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_items_post_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_items_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("source_id", "key", name=op.f("uq_items_source_id_key")),
    )
    op.create_index("ix_items_document_number", "items", ["document_number"], unique=False)
    op.create_index("ix_items_due_at", "items", ["due_at"], unique=False)
    op.create_index(
        "ix_items_from",
        "items",
        ["from_unit_id"],
        unique=False,
        sqlite_where=sa.text("from_unit_id is not null"),
        postgresql_where=sa.text("from_unit_id is not null"),
    )
    op.create_index(
        "ix_items_leased_until",
        "items",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_index(
        "ix_items_published", "items", ["published", "id", "source_id", "state"], unique=False
    )
    op.create_index("ix_items_source", "items", ["source_id", "state", "seen_at"], unique=False)
    op.create_index("ix_items_state", "items", ["state", "id"], unique=False)
    op.create_index(
        "ix_items_title", "items", ["source_id", "title", "document_number"], unique=False
    )
    op.create_table(
        "occurrences",
        sa.Column("id", ID, nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", JSON, nullable=True),
        sa.Column("post_id", ID, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_occurrences_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrences")),
        sa.UniqueConstraint("schedule", "at", name=op.f("uq_occurrences_schedule_at")),
    )
    op.create_index("ix_occurrences_due_at", "occurrences", ["due_at"], unique=False)
    op.create_index(
        "ix_occurrences_leased_until",
        "occurrences",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "revisions",
        sa.Column("id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("author_id", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("manifest", JSON, nullable=True),
        sa.Column("body", JSON, nullable=True),
        sa.Column("findings", JSON, nullable=True),
        sa.Column("template", sa.Text(), server_default="", nullable=False),
        sa.Column("template_digest", sa.Text(), server_default="", nullable=False),
        sa.Column("item_revision", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["people.id"], name=op.f("fk_revisions_author_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_revisions_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("post_id", "number", name=op.f("uq_revisions_post_id_number")),
    )
    op.create_table(
        "approvals",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=True),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("voided_at", sa.BigInteger(), nullable=True),
        sa.Column("voided", JSON, nullable=True),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_approvals_post_id")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_approvals_revision_id")
        ),
        sa.PrimaryKeyConstraint("revision_id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "item_revisions",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("entry", JSON, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_item_revisions_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_revisions")),
        sa.UniqueConstraint("item_id", "number", name=op.f("uq_item_revisions_item_id_number")),
    )
    op.create_table(
        "link_uses",
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("link_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_link_uses_link_id")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_link_uses_revision_id")
        ),
        sa.PrimaryKeyConstraint("revision_id", "link_id", name=op.f("pk_link_uses")),
    )
    op.create_index("ix_link_uses_link_id", "link_uses", ["link_id"], unique=False)
    op.create_table(
        "renditions",
        sa.Column("id", ID, nullable=False),
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("identity", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_renditions_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_renditions_revision_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renditions")),
        sa.UniqueConstraint(
            "revision_id",
            "account_id",
            "part",
            name=op.f("uq_renditions_revision_id_account_id_part"),
        ),
    )
    op.create_table(
        "signoffs",
        sa.Column("id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("step_name", sa.Text(), server_default="", nullable=False),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("behalf_id", ID, nullable=True),
        sa.Column("delegation_id", ID, nullable=True),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=True),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.Column("signed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("sheet", sa.Text(), server_default="", nullable=False),
        sa.Column("standing_id", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["behalf_id"], ["people.id"], name=op.f("fk_signoffs_behalf_id")),
        sa.ForeignKeyConstraint(
            ["delegation_id"], ["delegations.id"], name=op.f("fk_signoffs_delegation_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_signoffs_person_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_signoffs_post_id")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_signoffs_revision_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signoffs")),
    )
    op.create_index("ix_signoffs_revision_id", "signoffs", ["revision_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("revision_id", ID, nullable=False),
        sa.Column("rendition_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("act", sa.Text(), server_default="", nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("target_id", ID, nullable=True),
        sa.Column("after_id", ID, nullable=True),
        sa.Column("post_unit_id", ID, nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("emergency", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("go_at", sa.BigInteger(), nullable=False),
        sa.Column("latest_at", sa.BigInteger(), nullable=True),
        sa.Column("staged", JSON, nullable=True),
        sa.Column("reason", JSON, nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("visible", sa.Text(), server_default="", nullable=False),
        sa.Column("visible_at", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("absents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waits", sa.Integer(), server_default="0", nullable=False),
        sa.Column("was_held", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("insists", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_deliveries_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["after_id"], ["deliveries.id"], name=op.f("fk_deliveries_after_id")
        ),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_deliveries_post_id")),
        sa.ForeignKeyConstraint(
            ["post_unit_id"], ["units.id"], name=op.f("fk_deliveries_post_unit_id")
        ),
        sa.ForeignKeyConstraint(
            ["rendition_id"], ["renditions.id"], name=op.f("fk_deliveries_rendition_id")
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_deliveries_revision_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["deliveries.id"], name=op.f("fk_deliveries_target_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_deliveries_key")),
    )
    op.create_index(
        "ix_deliveries_calendar",
        "deliveries",
        ["go_at", "id", "act", "account_id", "state", "post_id", "post_unit_id"],
        unique=False,
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["state", "due_at", "account_id", "post_unit_id"],
        unique=False,
    )
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"], unique=False)
    op.create_index(
        "ix_deliveries_leased_until",
        "deliveries",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_index(
        "ix_deliveries_next",
        "deliveries",
        ["account_id", "state", "emergency", "due_at", "id"],
        unique=False,
    )
    op.create_index("ix_deliveries_post", "deliveries", ["post_id"], unique=False)
    op.create_index(
        "ix_deliveries_sent_at",
        "deliveries",
        ["sent_at"],
        unique=False,
        sqlite_where=sa.text("sent_at is not null"),
        postgresql_where=sa.text("sent_at is not null"),
    )
    op.create_index(
        "ix_deliveries_target_id",
        "deliveries",
        ["target_id"],
        unique=False,
        sqlite_where=sa.text("target_id is not null"),
        postgresql_where=sa.text("target_id is not null"),
    )
    op.create_index(
        "uq_deliveries_publish",
        "deliveries",
        ["post_id", "account_id", "part"],
        unique=True,
        sqlite_where=sa.text("act = 'publish'"),
        postgresql_where=sa.text("act = 'publish'"),
    )
    op.create_index(
        "uq_deliveries_receipt",
        "deliveries",
        ["account_id", "remote_id"],
        unique=True,
        sqlite_where=sa.text("act = 'publish' and remote_id is not null"),
        postgresql_where=sa.text("act = 'publish' and remote_id is not null"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("said", JSON, nullable=True),
        sa.Column("raw", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_begun", "attempts", ["begun_at"], unique=False)
    op.create_index("ix_attempts_delivery", "attempts", ["delivery_id"], unique=False)
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["delivery_id"],
        unique=True,
        sqlite_where=sa.text("ended_at is null"),
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "counts",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("likes", sa.Integer(), nullable=True),
        sa.Column("reposts", sa.Integer(), nullable=True),
        sa.Column("replies", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_counts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("delivery_id", "at", name=op.f("pk_counts")),
    )
    op.create_table(
        "replies",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("post_id", ID, nullable=True),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("author_name", sa.Text(), server_default="", nullable=False),
        sa.Column("handle", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("own", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_why", sa.Text(), server_default="", nullable=False),
        sa.Column("salt", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_replies_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_replies_delivery_id")
        ),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_replies_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint(
            "account_id", "remote_id", name=op.f("uq_replies_account_id_remote_id")
        ),
    )
    op.create_index("ix_replies_account", "replies", ["account_id", "id"], unique=False)
    op.create_index("ix_replies_at", "replies", ["at", "own", "account_id"], unique=False)
    op.create_index("ix_replies_delivery", "replies", ["delivery_id", "state", "own"], unique=False)
    op.create_index(
        "ix_replies_marked",
        "replies",
        ["state", "id", "own", "account_id", "post_id"],
        unique=False,
        sqlite_where=sa.text("state <> 'visible'"),
        postgresql_where=sa.text("state <> 'visible'"),
    )
    op.create_index(
        "ix_replies_own",
        "replies",
        ["id", "state", "account_id", "post_id"],
        unique=False,
        sqlite_where=sa.text("own is 1"),
        postgresql_where=sa.text("own is true"),
    )
    op.create_index("ix_replies_parent", "replies", ["account_id", "parent"], unique=False)
    op.create_index(op.f("ix_replies_post_id"), "replies", ["post_id"], unique=False)
    op.create_table(
        "watches",
        sa.Column("id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("resume", sa.Text(), nullable=True),
        sa.Column("walk", sa.Text(), server_default="", nullable=False),
        sa.Column("walk_began", sa.BigInteger(), nullable=True),
        sa.Column("walked_at", sa.BigInteger(), nullable=True),
        sa.Column("walks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("ok_at", sa.BigInteger(), nullable=True),
        sa.Column("lively_at", sa.BigInteger(), nullable=True),
        sa.Column("pace", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("partial", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_watches_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_watches_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_watches_delivery_id")),
    )
    op.create_index("ix_watches_due_at", "watches", ["due_at"], unique=False)
    op.create_index(
        "ix_watches_leased_until",
        "watches",
        ["leased_until"],
        unique=False,
        sqlite_where=sa.text("leased_until is not null"),
        postgresql_where=sa.text("leased_until is not null"),
    )
    op.create_table(
        "reply_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("reply_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_id"], ["replies.id"], name=op.f("fk_reply_versions_reply_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_versions")),
        sa.UniqueConstraint("reply_id", "number", name=op.f("uq_reply_versions_reply_id_number")),
    )
