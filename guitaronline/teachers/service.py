"""Teacher profiles: made with the role, edited by their teacher or by staff, disabled and enabled at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.errors import Conflict, Invalid, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.people import on_role
from guitaronline.identity.refusals import ReasonRequired
from guitaronline.teachers import rules
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from guitaronline.unit_of_work import Work, command, constraint_errors


class ProfileInvalid(Invalid):
    detail = "The profile cannot be stored like this."


class ProfileExists(Conflict):
    detail = "This teacher has a profile already; edit that one."


class NotATeacher(Invalid):
    detail = "This person does not have the role teacher."


class TeacherNotActive(Conflict):
    detail = "This teacher is not active: the person is deactivated or the profile is disabled."


constraint_errors["uq_teacher_profiles_user_id"] = ProfileExists


def init_teachers() -> None:
    """Whoever gets the role teacher gets a profile, in the same transaction. Called by `create_core`."""
    steps = on_role.setdefault(Role.TEACHER, [])
    if ensure_profile not in steps:
        steps.append(ensure_profile)


def ensure_profile(work: Work, user: User) -> TeacherProfile:
    """The user has a profile. A new one is active; one that was disabled before stays so until it is enabled."""
    known = _profile_of(work, user.id)
    if known is not None:
        return known
    name = user.full_name.strip() or (user.email or "").partition("@")[0]
    return _make(
        work, user.id, None, {"display_name": name[: rules.NAME_LENGTH], "tags": [], "bio": "", "experience_years": 0}
    )


def fill_profile(work: Work, user: User, changes: dict[str, Any]) -> TeacherProfile:
    """A step: the profile of the teacher, who is locked or as new as the transaction, says this. Raises ProfileInvalid."""
    return _write(ensure_profile(work, user), _checked(changes))


@command("teacher.create_profile", creates="teacher_profiles")
def create_profile(
    work: Work,
    *,
    user_id: UUID,
    display_name: str,
    bio: str = "",
    experience_years: int = 0,
    tags: list[str] | None = None,
    meeting_url: str | None = None,
) -> TeacherProfile:
    """The teacher's profile says this. It fills in the one that came with the role, as long as nobody has edited it.

    Locks the user, then the profile. Raises ProfileInvalid, NotATeacher, ProfileExists."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    wanted = {
        "display_name": display_name,
        "bio": bio,
        "experience_years": experience_years,
        "tags": tags or [],
        "meeting_url": meeting_url,
    }
    changes = _checked(wanted)
    user = work.lock(User, user_id)
    if user.role is not Role.TEACHER:
        raise NotATeacher(user_id=str(user_id), role=user.role.value)
    known = _profile_of(work, user_id)
    if known is None:
        return _make(work, user_id, work.record_id, changes)
    profile = work.lock(TeacherProfile, known.id)
    if profile.version > 1:
        raise ProfileExists(profile_id=str(profile.id))
    return _write(profile, changes)


@command("teacher.edit_profile", on="teacher_profiles")
def edit_profile(work: Work, profile_id: UUID, *, changes: dict[str, Any], reason: str | None = None) -> TeacherProfile:
    """The named fields of the profile hold these values. Its teacher and staff who edit people may."""
    profile = work.lock(TeacherProfile, profile_id)
    own = profile.user_id == work.actor.id
    access.require(work.actor, Permission.OWN_PROFILE if own else Permission.EDIT_PEOPLE, own=own)
    return _write(profile, _checked(changes))


@command("teacher.disable", on="teacher_profiles")
def disable_teacher(work: Work, profile_id: UUID, *, reason: str) -> TeacherProfile:
    """Nothing of the teacher's is offered from now on; their bookings stand and wait for a decision. Repeat: no-op."""
    return _switch(work, profile_id, TeacherStatus.DISABLED, reason)


@command("teacher.enable", on="teacher_profiles")
def enable_teacher(work: Work, profile_id: UUID, *, reason: str) -> TeacherProfile:
    """The teacher's open slots are offered again. Repeat: no-op."""
    return _switch(work, profile_id, TeacherStatus.ACTIVE, reason)


def require_active_teacher(work: Work, user_id: UUID) -> User:
    """The active teacher, user row locked: role and activity stay what they are until commit.

    Raises NotFound, NotATeacher, TeacherNotActive."""
    user = work.lock(User, user_id)
    if user.role is not Role.TEACHER:
        raise NotATeacher(teacher_id=str(user_id))
    profile = _profile_of(work, user_id)
    if not user.is_active or profile is None or profile.status is not TeacherStatus.ACTIVE:
        raise TeacherNotActive(teacher_id=str(user_id))
    return user


def _switch(work: Work, profile_id: UUID, target: TeacherStatus, reason: str) -> TeacherProfile:
    access.require(work.actor, Permission.EDIT_PEOPLE)
    if not reason.strip():
        raise ReasonRequired(reasons=[Reason("reason_required", ReasonRequired.detail, pointer="/reason")])
    profile = work.lock(TeacherProfile, profile_id)
    if profile.status is not target:
        work.move(profile, target, user_id=str(profile.user_id))
    return profile


def _profile_of(work: Work, user_id: UUID) -> TeacherProfile | None:
    query = select(TeacherProfile).where(TeacherProfile.user_id == user_id)
    return work.session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def _make(work: Work, user_id: UUID, profile_id: UUID | None, values: dict[str, Any]) -> TeacherProfile:
    profile = TeacherProfile(id=profile_id, user_id=user_id, status=TeacherStatus.ACTIVE, **values)
    work.create(profile, user_id=str(user_id))
    return profile


def _write(profile: TeacherProfile, changes: dict[str, Any]) -> TeacherProfile:
    for field, value in changes.items():
        setattr(profile, field, value)
    return profile


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    tidied = rules.tidy(changes)
    problems = rules.profile_problems(tidied)
    if problems:
        raise ProfileInvalid(reasons=problems)
    return tidied
