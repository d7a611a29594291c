"""People, how they sign in, and what staff write about them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from guitaronline.actor import Role
from guitaronline.db import Base, Id, Timestamps, Versioned, choice
from guitaronline.states import Move, StateTable, guard_status


class User(Timestamps, Versioned, Base):
    """A person. A child may have neither e-mail nor password; a guardian then acts and is told."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role <> 'system' AND role <> 'anonymous'", name="role_is_a_persons"),
        CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_has_key"),
        CheckConstraint(
            "email IS NOT NULL OR role = 'student' OR erased_at IS NOT NULL", name="only_children_lack_email"
        ),
        CheckConstraint(
            "erased_at IS NULL OR (full_name = '' AND email IS NULL AND phone IS NULL AND password_hash IS NULL"
            " AND NOT is_active)",
            name="erased_is_empty",
        ),
        Index("uq_users_email_key", "email_key", unique=True),
        Index("ix_users_role_name", "role", "full_name", "id"),
        Index("ix_users_name", "full_name", "id"),
        Index(
            "ix_users_address_problem", "address_problem_at", "id", postgresql_where=text("address_problem IS NOT NULL")
        ),
        Index("ix_users_test", "id", postgresql_where=text("is_test")),
        Index("ix_users_teaching", "id", postgresql_where=text("role = 'teacher' AND is_active")),
        Index(
            "ix_users_full_name_trgm", "full_name", postgresql_using="gin", postgresql_ops={"full_name": "gin_trgm_ops"}
        ),
        Index("ix_users_email_trgm", "email", postgresql_using="gin", postgresql_ops={"email": "gin_trgm_ops"}),
        Index(
            "ix_users_phone_digits",
            literal_column(r"regexp_replace(phone, '\D'::text, ''::text, 'g'::text)").label("digits"),
            postgresql_using="gin",
            postgresql_ops={"digits": "gin_trgm_ops"},
        ),
        CheckConstraint("merged_into_id <> id", name="merged_into_another"),
        CheckConstraint("merged_into_id IS NULL OR NOT is_active", name="merged_is_inactive"),
        Index("ix_users_merged_into", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")),
        Index(  # pairs that look alike: office/merging/finding.py
            "ix_users_same_person",
            text("lower(full_name)"),
            text(r"regexp_replace(phone, '\D'::text, ''::text, 'g'::text)"),
            postgresql_where=text("phone IS NOT NULL AND merged_into_id IS NULL"),
        ),
    )

    id: Mapped[Id]
    reference: Mapped[str] = mapped_column(
        server_default=text("make_reference('USR'::text, 'user_reference'::text)"), unique=True
    )
    email: Mapped[str | None]  # as typed; mail goes here and nowhere else
    email_key: Mapped[str | None]  # folded: NFKC, case, IDNA; unique
    full_name: Mapped[str] = mapped_column(server_default="")
    timezone: Mapped[str] = mapped_column(server_default="UTC")  # IANA
    role: Mapped[Role] = mapped_column(choice(Role, "role_known"))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    is_test: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # left out of KPIs
    password_hash: Mapped[str | None]
    email_verified_at: Mapped[datetime | None]
    totp_secret: Mapped[str | None]
    phone: Mapped[str | None]
    language: Mapped[str | None]
    instrument: Mapped[str | None]
    level: Mapped[str | None]
    address_problem: Mapped[str | None]  # why mail to `email` does not arrive; cleared when it changes
    address_problem_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]  # names and contacts are gone for good; nobody fills them again
    merged_into_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id")
    )  # this record is that person's; a pointer


class Guardian(Timestamps, Base):
    """An adult who stands for a child."""

    __tablename__ = "guardians"
    __table_args__ = (
        UniqueConstraint("guardian_id", "student_id", name="uq_guardians_pair"),
        CheckConstraint("guardian_id <> student_id", name="two_people"),
        Index("ix_guardians_student_id", "student_id"),
    )

    id: Mapped[Id]
    guardian_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    student_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    relation: Mapped[str] = mapped_column(server_default="parent")
    pays: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    receives_messages: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    guardian: Mapped[User] = relationship(foreign_keys=[guardian_id], viewonly=True)
    student: Mapped[User] = relationship(foreign_keys=[student_id], viewonly=True)


class Note(Timestamps, Base):
    """What staff wrote about a person or a record; seen by staff only."""

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_record", "record_type", "record_id", "id"),)

    id: Mapped[Id]
    record_type: Mapped[str]  # a table's name
    record_id: Mapped[UUID]
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]


class TaskStatus(StrEnum):
    OPEN = "open"
    DONE = "done"
    CANCELED = "canceled"


@guard_status
class Task(Timestamps, Versioned, Base):
    """Something a member of staff has to do about a person or a record."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_record", "record_type", "record_id", "id"),
        Index("ix_tasks_due", "due_on", "id"),
        Index("ix_tasks_open_owner", "owner_id", "due_on", postgresql_where=text("status = 'open'")),
        Index(
            "ix_tasks_open_title_trgm",
            "title",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
            postgresql_where=text("status = 'open'"),
        ),
    )
    states: ClassVar[StateTable] = StateTable(
        "tasks",
        {TaskStatus.OPEN: "to be done", TaskStatus.DONE: "done", TaskStatus.CANCELED: "no longer needed"},
        [
            Move(None, TaskStatus.OPEN, "task.created"),
            Move(TaskStatus.OPEN, TaskStatus.DONE, "task.done"),
            Move(TaskStatus.OPEN, TaskStatus.CANCELED, "task.canceled"),
            Move(TaskStatus.DONE, TaskStatus.OPEN, "task.reopened"),
        ],
    )

    id: Mapped[Id]
    record_type: Mapped[str]
    record_id: Mapped[UUID]
    title: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    due_on: Mapped[date | None]
    status: Mapped[TaskStatus] = mapped_column(choice(TaskStatus, "status_known"))
    closed_at: Mapped[datetime | None]


class ConsoleSession(Base):
    """A signed-in browser. The cookie holds a random token; this row decides whether it is worth anything."""

    __tablename__ = "console_sessions"
    __table_args__ = (Index("ix_console_sessions_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # absolute
    revoked_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]  # when they last proved again that it is them; the sign-in proves it too
    address: Mapped[str | None]
    device: Mapped[str | None]


class ViewAsSession(Base):
    """For a few minutes a member of staff sees, in one browser, what a student or teacher sees. Nothing else changes."""

    __tablename__ = "view_as_sessions"
    __table_args__ = (
        CheckConstraint("until > started_at AND until <= started_at + interval '15 minutes'", name="short"),
        CheckConstraint("viewer_id <> person_id", name="two_people"),
        Index("ix_view_as_sessions_session_id", "session_id", "id"),
        Index("ix_view_as_sessions_open", "until", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[Id]
    session_id: Mapped[UUID]  # no foreign key: the console session may be forgotten before this is
    viewer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # when its end was written down; over it is at `until` in any case


class TokenFamily(Base):
    """One device's line of API tokens; revoked as a whole."""

    __tablename__ = "token_families"
    __table_args__ = (Index("ix_token_families_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    device_label: Mapped[str | None]
    address: Mapped[str | None]  # where it signed in from
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # absolute
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]


class ApiToken(Base):
    """A pair of one family, as SHA-256 only. At most one pair of a family is live."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        Index(
            "uq_api_tokens_live",
            "family_id",
            unique=True,
            postgresql_where=text("used_at IS NULL AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    family_id: Mapped[UUID] = mapped_column(ForeignKey("token_families.id"), index=True)
    access_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    access_expires_at: Mapped[datetime]
    refresh_expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]  # when it was refreshed
    successor_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_tokens.id"))
    revoked_at: Mapped[datetime | None]


class LinkPurpose(StrEnum):
    INVITE = "invite"
    RESET = "reset"  # choose a new password
    VERIFY = "verify"  # the address is theirs
    ADDRESS = "address"  # they want to be written to there
    UNDO = "undo"  # they did not: back to the address before


class SignInLink(Base):
    """A single-use link, as SHA-256 only; the token itself is derived again whenever the mail is written."""

    __tablename__ = "sign_in_links"
    __table_args__ = (Index("ix_sign_in_links_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[LinkPurpose] = mapped_column(choice(LinkPurpose, "purpose_known"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class KnownDevice(Base):
    """Where a person has signed in before, as a digest: a browser's own cookie, or what an app calls itself."""

    __tablename__ = "known_devices"
    __table_args__ = (
        UniqueConstraint("user_id", "mark", name="uq_known_devices_once"),
        Index("ix_known_devices_seen", "last_seen_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    mark: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class FormerAddress(Base):
    """Where a person was written to until now, kept for the one notice that goes there."""

    __tablename__ = "former_addresses"
    __table_args__ = (
        Index("ix_former_addresses_user_id", "user_id"),
        Index("ix_former_addresses_created_at", "created_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str]
    created_at: Mapped[datetime]


class FailedLogin(Base):
    """A failed sign-in, or somebody asking for a new password; counted here so that the throttle survives Redis being down.
    Digests, no personal data."""

    __tablename__ = "failed_logins"
    __table_args__ = (
        Index("ix_failed_logins_account", "account_digest", "at"),
        Index("ix_failed_logins_address", "address_digest", "at"),
        Index("ix_failed_logins_at", "at"),
    )

    id: Mapped[Id]
    account_digest: Mapped[bytes] = mapped_column(LargeBinary)
    address_digest: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
