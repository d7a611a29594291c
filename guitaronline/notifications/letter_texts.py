"""Letters that staff write often, to begin with. `{name}` stands for the reader's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LetterText:
    title: str
    subject: str
    text: str


LETTER_TEXTS = {
    "reach": LetterText(
        "We could not reach you",
        "We tried to call you",
        "Hello {name},\n\nwe tried to call you about your lesson and could not reach you. Please call us back, or"
        " answer this message and tell us when we may call.\n\nYour guitar school",
    ),
    "contact": LetterText(
        "Please check your contact data",
        "Is your telephone number still right?",
        "Hello {name},\n\nplease tell us the telephone number and the address under which we reach you, so that you"
        " hear in time when a lesson changes.\n\nYour guitar school",
    ),
    "come_back": LetterText(
        "We miss you",
        "Time for another lesson?",
        "Hello {name},\n\nyou have not had a lesson for a while. Your teacher has free times in the next weeks; have"
        " a look and choose one.\n\nYour guitar school",
    ),
    "news": LetterText(
        "News from the school",
        "News from your guitar school",
        "Hello {name},\n\n…\n\nYour guitar school",
    ),
}
