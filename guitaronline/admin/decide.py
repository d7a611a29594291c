"""A booking that needs a decision: why it waits, the ways there are, each with what it would do, and the slots to which it
could go."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wtforms import RadioField
from wtforms.validators import InputRequired, Optional

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.admin.people_picker import id_of
from guitaronline.admin.record_page import Section
from guitaronline.admin.slot_picker import described
from guitaronline.booking.alternatives import free_slots_for
from guitaronline.booking.deciding import decide_booking, unkeep_booking
from guitaronline.booking.decision_preview import preview_decision
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.impact import Why, undecided, whys
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.booking.rules import effective_status
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.scheduling.models import Slot

SLOTS_SHOWN = 8
WAYS = (
    (Way.MOVE, "Move it to one of the slots below"),
    (Way.CANCEL, "Cancel it and give the lesson back"),
    (Way.KEEP, "Keep it: the lesson is given all the same"),
)
NOT_WAITING = "Nothing stands against it: its teacher is active and there then, and the school is open."


def _whys(bookings: Collection[Booking]) -> dict[Booking, list[Why]]:
    living = (BookingStatus.HOLD, BookingStatus.CONFIRMED)
    ahead = [each for each in bookings if effective_status(each, gate.now()) in living and each.start_at > gate.now()]
    found = whys(session(), ahead, gate.now())
    return {each: found.get(each.id, []) for each in bookings}


AGAINST = Ahead[Booking, list[Why]]("against", _whys)


def against(booking: Booking) -> list[Why]:
    """What stands against the booking, decided or not; nothing against one that is over."""
    return AGAINST.of(booking) or []


def decision_section(booking: Booking) -> list[Section]:
    """Why the booking needs a decision, or in spite of what it was kept; nothing for most."""
    found = against(booking)
    if not found:
        return []
    title = "Needs a decision" if undecided(found) else "Kept all the same"
    table = [(each.words, _until(each), "kept" if each.is_kept else "to be decided") for each in found]
    return [Section(title, ("What stands against it", "When", ""), table)]


def _until(why: Why) -> Any:
    absence = why.absence
    if absence is None:
        return "from now on"
    times = (show.when(absence.start_at), show.when(absence.end_at))
    return show.html("{}: {} – {}", show.link(absence, absence.reference), *times)


class DecideForm(forms.CommandForm):
    linkable = frozenset({"decision", "new_slot_id"})
    decision = RadioField(
        "What becomes of it",
        choices=forms.choices((str(way), words) for way, words in WAYS),
        validators=[InputRequired("Choose one.")],
    )
    new_slot_id = RadioField("New slot, the nearest first", choices=[], validators=[Optional()], validate_choice=False)
    reason = forms.reason(help="The student reads it when the lesson is canceled or moved.")

    def chosen(self: Any, booking: Booking, way: str | None = None) -> Chosen:
        word = Way(way or self.decision.data)
        return Chosen(booking.id, word, id_of(self.new_slot_id) if word is Way.MOVE else None)


class DecideBooking(CommandPage):
    record = Booking
    path = "bookings/<uuid:id>/decide"
    title = "Decide"
    permission = Permission.MANAGE_SLOTS
    form = DecideForm
    looks = "Show what will happen"
    lead = "Its teacher is away or not active, or the school is closed then. Say what becomes of the lesson."

    def refused_because(self, record: Any) -> str | None:
        return None if undecided(against(record)) else NOT_WAITING

    def prepare(self, form: Any, record: Any) -> None:
        found = free_slots_for(session(), record, gate.now(), limit=SLOTS_SHOWN) if undecided(against(record)) else []
        options = [(str(each.slot_id), f"{_described(each.slot_id)} · {each.words}") for each in found]
        already = id_of(form.new_slot_id)
        if already and str(already) not in dict(options) and session().get(Slot, already):
            options.insert(0, (str(already), _described(already)))
        form.new_slot_id.choices = forms.choices(options)
        if not options:
            form.new_slot_id.description = (
                "No free slot of this length within three weeks. Make one, or choose another way."
            )

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        found = undecided(against(record))
        if not found:
            return Consequences([("Lesson", show.span(record.start_at, record.end_at, record.student, record.teacher))])
        lines = [
            ("Lesson", show.span(record.start_at, record.end_at, record.student, record.teacher)),
            ("Student", show.link(record.student)),
            ("Teacher", show.link(record.teacher)),
            *(("It waits", show.html("{} {}", each.words, _until(each) if each.absence else "")) for each in found),
        ]
        table = [(words, *self._told(record, form, way, found)) for way, words in WAYS]
        table.append(("Somebody else gives it", _substitute(record)))
        chosen = form.decision.data if form.decision.data in {str(way) for way, _ in WAYS} else None
        blockers = self._blockers(record, form, chosen, found) if chosen else []
        return Consequences(lines, table=[("Way", "What will happen"), *table], blockers=blockers)

    def _told(self, record: Booking, form: Any, way: Way, found: list[Why]) -> tuple[Any]:
        chosen = form.chosen(record, way)
        if way is Way.MOVE and chosen.new_slot_id is None:
            return ("The lesson comes back and pays for the new one. Choose a slot below.",)
        said = preview_decision(session(), record, chosen, found, gate.now())
        return (" ".join(each.detail for each in said.reasons) or said.sentence,)

    def _blockers(self, record: Booking, form: Any, way: str, found: list[Why]) -> list[Reason]:
        chosen = form.chosen(record, way)
        return preview_decision(session(), record, chosen, found, gate.now()).reasons

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        chosen = form.chosen(record)
        return decide_booking(
            actor, record.id, decision=chosen.way, new_slot_id=chosen.new_slot_id, reason=form.reason.data
        )

    def done(self, result: Any) -> Done:
        words = {BookingStatus.CANCELED: "is canceled", BookingStatus.CONFIRMED: "stands"}.get(result.status, "is kept")
        sentence = (result.decision or {}).get("sentence", "") if result.status is BookingStatus.CANCELED else ""
        return Done(f"{result.reference} {words}. {sentence}".strip(), show.record_url("bookings", result.id) or "")


class UnkeepBooking(CommandPage):
    record = Booking
    path = "bookings/<uuid:id>/unkeep"
    title = "Decide anew"
    is_rare = True
    button = "Let it wait for a decision again"
    permission = Permission.MANAGE_SLOTS
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        return None if any(each.is_kept for each in against(record)) else "It was not kept in spite of anything."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Then", "It is among the bookings that need a decision; the booking itself stands.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return unkeep_booking(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} needs a decision again.", show.record_url("bookings", result.id) or "")


def _substitute(booking: Booking) -> Any:
    from guitaronline.admin.substitution import SubstituteBooking

    button = button_of(commands.named(SubstituteBooking), booking)
    if button.why_not:
        return button.why_not
    link = '<a class="among-words" href="{}">Choose a substitute</a>: the booking stays, with its id.'
    return show.html(link, button.url)


def _described(slot_id: Any) -> str:
    return described(session().get_one(Slot, slot_id))


commands.add(DecideBooking, UnkeepBooking)
