"""Staff write to people: one person, or as news to many, who may have switched that off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.errors import Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.notifications import planning
from guitaronline.notifications.kinds import KINDS
from guitaronline.notifications.models import Message, MessagePreference, Preference
from guitaronline.notifications.refusals import LetterInvalid
from guitaronline.unit_of_work import Work, command

SUBJECT_LENGTH, TEXT_LENGTH = 200, 5000
FROM_STAFF = "from_staff"


@dataclass(frozen=True)
class Letter:
    """`{name}` in the text stands for the reader's name. News may be switched off; it goes to many."""

    subject: str
    text: str
    is_news: bool

    def facts(self) -> dict[str, Any]:
        return {"subject": self.subject.strip(), "text": self.text.strip(), "is_news": self.is_news}


@dataclass(frozen=True)
class Readers:
    """Who reads what is written to a person: themselves, or for a child without an address their guardians."""

    ids: Sequence[UUID]
    reasons: list[Reason]  # why nobody does


@command("message.write", on="users")
def write_to(work: Work, person_id: UUID, *, letter: Letter, reason: str | None = None) -> User:
    """The letter is queued for the person, or who stands for them. Raises LetterInvalid with every reason."""
    access.require(work.actor, Permission.SEND_MESSAGES)
    person = work.find(User, person_id)
    readers = readers_of(work.session, [person], letter)[person.id]
    problems = letter_problems(letter) + readers.reasons
    if problems:
        raise LetterInvalid(reasons=problems)
    _queue(work, FROM_STAFF, readers.ids, ("users", person.id), letter.facts())
    return person


@command("message.test", on="users")
def send_test(work: Work, person_id: UUID, *, template: str, record_type: str, record_id: UUID, language: str) -> User:
    """The template, filled in from a real record, is on its way to one's own address. Raises NotAllowed, LetterInvalid."""
    access.require(work.actor, Permission.SEND_MESSAGES)
    person = work.find(User, person_id)
    if person.id != work.actor.id:
        raise LetterInvalid("A test goes to oneself, for it is about somebody else.")
    if template not in KINDS:
        raise LetterInvalid(reasons=[Reason("template_unknown", "There is no such template.", "", "/template")])
    facts = {"template": template, "language": language}
    _queue(work, "template_test", [person.id], (record_type, record_id), facts)
    return person


def letter_problems(letter: Letter) -> list[Reason]:
    """A rule: why it cannot be sent as it is."""
    found = rules.text_problems("subject", letter.subject, SUBJECT_LENGTH)
    found += rules.text_problems("text", letter.text, TEXT_LENGTH, lines=True)
    if not letter.subject.strip():
        found.append(Reason("subject_empty", "It has no subject.", "Say what it is about.", "/subject"))
    if not letter.text.strip():
        found.append(Reason("text_empty", "It says nothing.", "Write something.", "/text"))
    return found


def readers_of(session: Session, people: Sequence[User], letter: Letter) -> dict[UUID, Readers]:
    """By person. Three statements, however many people."""
    guardians = _guardians(session, [each.id for each in people if not each.email])
    wanted = {each.id: [each] if each.email else guardians[each.id] for each in people}
    off = _without_news(session, {each.id for found in wanted.values() for each in found}) if letter.is_news else set()
    return {person.id: _readers(person, wanted[person.id], off) for person in people}


def unsent(person: User, letter: Letter) -> Message:
    """The message as it would be, for a preview; it is not kept."""
    return Message(kind=FROM_STAFF, person_id=person.id, record_type="users", record_id=person.id, facts=letter.facts())


def _readers(person: User, found: Sequence[User], off: set[UUID]) -> Readers:
    reasons = []
    if not person.is_active:
        reasons.append(Reason("person_inactive", "The person is deactivated."))
    reachable = [each for each in found if each.address_problem is None]
    if not found:
        reasons.append(Reason("nowhere_to_send", "There is no e-mail address, and no guardian with one."))
    elif not reachable:
        why = found[0].address_problem
        reasons.append(Reason("address_problem", f"Mail to the address does not arrive: {why}.", "Correct it first."))
    reading = [each.id for each in reachable if each.id not in off]
    if reachable and not reading:
        reasons.append(Reason("switched_off", "They do not want news."))
    return Readers(reading, reasons)


def _guardians(session: Session, student_ids: Sequence[UUID]) -> dict[UUID, list[User]]:
    """Those who get messages for these children. ix_guardians_student_id"""
    found: dict[UUID, list[User]] = defaultdict(list)
    if not student_ids:
        return found
    query = (
        select(Guardian.student_id, User)
        .join(User, User.id == Guardian.guardian_id)
        .where(Guardian.student_id.in_(student_ids), Guardian.receives_messages, User.is_active)
        .where(User.email.is_not(None))
        .order_by(Guardian.id)
    )
    for student_id, guardian in session.execute(query):
        found[student_id].append(guardian)
    return found


def _without_news(session: Session, ids: set[UUID]) -> set[UUID]:
    """uq_message_preferences_once"""
    said_no = (MessagePreference.preference == Preference.OFFERS, MessagePreference.is_on.is_(False))
    query = select(MessagePreference.person_id).where(MessagePreference.person_id.in_(ids), *said_no)
    return set(session.scalars(query))


def _queue(work: Work, kind: str, ids: Sequence[UUID], about: tuple[str, UUID], facts: dict[str, Any]) -> None:
    planning.queue(
        work.session,
        KINDS[kind],
        event_id=work.action_id,
        person_ids=ids,
        record_type=about[0],
        record_id=about[1],
        facts=facts,
        happened_at=work.now,
    )
    work.topics.add("message.written")  # nothing is told of it, but delivery is rung
