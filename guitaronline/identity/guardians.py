"""Guardians: adults who stand for a child. They pay, are told, and are shown to staff."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.errors import Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.identity.refusals import AlreadyGuardian, GuardianUnfit, NotAStudent
from guitaronline.identity.standing import require_reason
from guitaronline.unit_of_work import Work, command

RELATION_LENGTH = 40


@command("person.add_guardian", on="users")
def add_guardian(
    work: Work,
    student_id: UUID,
    *,
    guardian_id: UUID,
    relation: str = "parent",
    pays: bool = True,
    receives_messages: bool = True,
    reason: str | None = None,
) -> Guardian:
    """The guardian stands for the student. Locks the student.

    Raises NotAStudent, GuardianUnfit with every reason, AlreadyGuardian."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    student = work.lock(User, student_id)
    if student.role is not Role.STUDENT:
        raise NotAStudent()
    guardian = work.find(User, guardian_id)
    return stand_for(work, student, guardian, relation=relation, pays=pays, receives_messages=receives_messages)


def stand_for(
    work: Work,
    student: User,
    guardian: User,
    *,
    relation: str = "parent",
    pays: bool = True,
    receives_messages: bool = True,
) -> Guardian:
    """Step: the guardian stands for the student, who is locked or as new as the transaction.

    Raises GuardianUnfit with every reason, AlreadyGuardian."""
    problems = _problems(work, student, guardian) + rules.text_problems("relation", relation, RELATION_LENGTH)
    if problems:
        raise GuardianUnfit(reasons=problems)
    pair = select(Guardian.id).where(Guardian.guardian_id == guardian.id, Guardian.student_id == student.id)
    if work.session.scalar(pair) is not None:
        raise AlreadyGuardian()
    link = Guardian(
        guardian_id=guardian.id,
        student_id=student.id,
        relation=relation.strip() or "guardian",
        pays=pays,
        receives_messages=receives_messages,
    )
    work.add(link)
    return link


@command("person.remove_guardian", on="guardians")
def remove_guardian(work: Work, guardian_row_id: UUID, *, reason: str) -> None:
    """The adult does not stand for the child any more. Raises NotFound."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    require_reason(reason)
    link = work.lock(Guardian, guardian_row_id)
    work.session.delete(link)


def _problems(work: Work, student: User, guardian: User) -> list[Reason]:
    pointer, problems = "/guardian_id", []
    if guardian.id == student.id:
        problems.append(Reason("guardian_is_student", "Nobody is their own guardian.", "Take another person.", pointer))
    if not guardian.is_active:
        problems.append(Reason("guardian_inactive", "This person is deactivated.", "Reactivate them first.", pointer))
    if guardian.email is None:
        problems.append(
            Reason(
                "guardian_without_email", "A guardian can be reached by e-mail.", "Give them an address first.", pointer
            )
        )
    under = select(Guardian.id).where(Guardian.guardian_id == student.id, Guardian.student_id == guardian.id)
    if work.session.scalar(under) is not None:
        problems.append(
            Reason("guardian_is_ward", "The student is this person's guardian.", "Take another person.", pointer)
        )
    return problems
