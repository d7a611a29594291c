"""Is the address theirs? Who follows the link that went there says so. Nothing waits for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guitaronline.identity import links
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.unit_of_work import Work, command


def ask_to_verify(work: Work, user: User) -> None:
    """Step: the person is sent a link that confirms their address; earlier ones are void."""
    if user.email is None or not links.is_mailed():
        return
    link = links.new_link(work, user, LinkPurpose.VERIFY)
    work.emit("person.verification_asked", user, link_id=str(link.id))


@command("person.verify_email")
def verify_email(work: Work, *, token: str) -> User:
    """The address is known to be theirs. A change of address voids links to the old one. Raises LinkInvalid."""
    user = links.use(work, LinkPurpose.VERIFY, token)
    note_arrival(work, user)
    return user


def note_arrival(work: Work, user: User) -> None:
    """Step: a link that went to the locked person's address and nowhere else was followed, so mail arrives there."""
    if user.email_verified_at is None:
        user.email_verified_at = work.now
    user.address_problem = user.address_problem_at = None


def verifying_person(session: Session, token: str, now: datetime) -> User | None:
    """Query: whose address this link confirms, while it is good."""
    return links.person_of(session, LinkPurpose.VERIFY, token, now)
