"""Who and what the demo school consists of. Every name is invented, every address ends in `.example`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from guitaronline.actor import Role


@dataclass(frozen=True)
class Login:
    """Somebody the reader of the demo can sign in as."""

    role: Role
    full_name: str
    email: str
    password: str
    timezone: str = "Europe/Berlin"


# Known to everybody who reads this: the loader refuses to run in production.
STAFF = (
    Login(Role.ADMIN, "Ada Lindqvist", "admin@school.example", "demo admin plays six strings"),
    Login(Role.SUPPORT, "Sue Marchetti", "support@school.example", "demo support answers the phone"),
    Login(Role.FINANCE, "Finn Okafor", "finance@school.example", "demo finance counts every cent"),
    Login(Role.FINANCE, "Paula Reyes", "finance.second@school.example", "demo finance has four eyes"),
    Login(Role.AUDITOR, "Audrey Blom", "auditor@school.example", "demo auditor only looks on"),
)
TEACHER_PASSWORD = "demo teacher tunes the guitar"  # noqa: S105  # see above
STUDENT_PASSWORD = "demo student learns the chords"  # noqa: S105  # see above


@dataclass(frozen=True)
class Hours:
    """A window of wall clock that a teacher keeps free on these weekdays (0 = Monday)."""

    weekdays: tuple[int, ...]
    start: time
    end: time


@dataclass(frozen=True)
class TeacherPart:
    full_name: str
    zone: str
    years: int
    tags: tuple[str, ...]
    bio: str
    minutes: int  # of a lesson
    pause: int  # minutes after it
    hours: tuple[Hours, ...]
    has_room: bool = True  # a meeting address of their own


def _weekly(weekdays: str, start: int, end: int) -> Hours:
    return Hours(tuple(int(day) for day in weekdays), time(start), time(end % 24))


TEACHERS = (
    TeacherPart("Clara Weber", "Europe/Berlin", 14, ("classical", "fingerstyle", "music theory"), "Classical guitar from the first scale to the conservatory.", 60, 0, (_weekly("0123", 14, 19),)),
    TeacherPart("Tom Ashdown", "Europe/London", 9, ("acoustic", "folk", "beginners"), "Folk and acoustic songs, patient with beginners.", 60, 0, (_weekly("0135", 10, 15),)),
    TeacherPart("Inés Cabrera", "Europe/Madrid", 21, ("flamenco", "fingerstyle"), "Flamenco: compás first, speed later.", 60, 0, (_weekly("0234", 16, 21),)),
    TeacherPart("Marcus Bell", "America/New_York", 12, ("jazz", "improvisation", "music theory"), "Jazz harmony, comping and improvisation.", 60, 0, (_weekly("1245", 9, 14),)),
    TeacherPart("Luiza Andrade", "America/Sao_Paulo", 7, ("bossa nova", "acoustic"), "Bossa nova and samba, with a lot of right hand.", 60, 0, (_weekly("0124", 12, 17),)),
    TeacherPart("Kenji Morita", "Asia/Tokyo", 16, ("rock", "electric", "metal"), "Electric guitar: rock, metal and clean technique.", 60, 0, (_weekly("1356", 18, 23),)),
    TeacherPart("Priya Raman", "Asia/Kolkata", 5, ("kids", "beginners", "ukulele"), "Half hours for children, with games and songs.", 30, 10, (_weekly("0124", 15, 19),)),
    TeacherPart("Noah Whitlock", "Australia/Sydney", 11, ("blues", "slide", "electric"), "Blues and slide in every tuning.", 60, 0, (_weekly("0235", 17, 22),)),
    TeacherPart("Wanjiru Kamau", "Africa/Nairobi", 8, ("acoustic", "songwriting"), "Songs you write yourself.", 60, 0, (_weekly("1346", 9, 14),)),
    TeacherPart("Olena Marchuk", "Europe/Kyiv", 13, ("kids", "classical", "beginners"), "Children from six, and their first recital.", 30, 10, (_weekly("0135", 14, 18),)),
    TeacherPart("Dan Fletcher", "America/Los_Angeles", 6, ("rock", "night owls"), "Late lessons for people who work all day.", 60, 0, (_weekly("0124", 20, 25),), has_room=False),
    TeacherPart("Émile Gagnon", "America/Toronto", 19, ("country", "bluegrass", "flatpicking"), "Bluegrass flatpicking and country bends.", 60, 0, (_weekly("1234", 11, 16),)),
)  # fmt: skip


@dataclass(frozen=True)
class PlanPart:
    name: str
    lessons: int
    minutes: int | None
    valid_days: int
    amount_minor: int
    currency: str = "USD"
    is_trial: bool = False


TRIAL = PlanPart("Trial lesson", 1, None, 30, 0, is_trial=True)
FOUR = PlanPart("Four lessons", 4, 60, 90, 18_000)
TEN = PlanPart("Ten lessons", 10, 60, 180, 39_000)
TEN_EUR = PlanPart("Ten lessons (EUR)", 10, 60, 180, 36_000, currency="EUR")
TWENTY = PlanPart("Twenty lessons", 20, 60, 365, 72_000)  # above the approval limit
KIDS = PlanPart("Kids: ten half hours", 10, 30, 180, 21_000)
PLANS = (TRIAL, FOUR, TEN, TEN_EUR, TWENTY, KIDS)

ZONES = ("Europe/Berlin", "Europe/London", "Europe/Madrid", "America/New_York", "America/Chicago", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney", "Europe/Warsaw", "Africa/Nairobi", "America/Vancouver")  # fmt: skip
LEVELS = ("beginner", "beginner", "some chords", "intermediate", "advanced")
INSTRUMENTS = ("acoustic guitar", "electric guitar", "classical guitar", "bass guitar")
LANGUAGES = ("en", "en", "de", "es", "pt", "fr", "pl", "ja")

FIRST_NAMES = (
    "Ava Ben Carla Dmitri Elif Farid Greta Hugo Iris Jonas Kaya Leon Mina Nils Oona Pablo Quinn Rosa Sven Tara Umar Vera Wim Xenia Yusuf "
    "Zora Alba Bruno Cleo Dario Edda Fynn Gina Hanna Ivo Jule Karim Lotte Malik Nora Otto Petra Ravi Selma Timo Una Viktor Wanda Yara Zeno"
).split()
LAST_NAMES = (
    "Abbott Berger Castell Drummond Eriksen Fontaine Gallo Hartmann Ishida Jansen Kowal Lund Moreau Novak Osei Petrov Quiroga Rossi Sato "
    "Thorne Ueda Vasquez Wolff Xu Yilmaz Zeller Amari Brandt Costa Duval Engel Farkas Grant Holm Ibarra Juhl Keller Larsen Meyer Ness "
    "Oduya Pires Rahman Steiner Tanaka Urban Voss Winter Young Zanetti"
).split()

TOPICS = ("Barre chords without pain", "Alternate picking at 90 bpm", "The blues in A", "Reading in first position", "Travis picking", "Changing from C to G", "Major scale, three notes a string", "Right hand: p i m a")  # fmt: skip
HOMEWORK = ("Ten minutes a day with the metronome.", "Play the song twice without stopping.", "Learn the second verse.", "Write down eight bars of your own.")  # fmt: skip
NOTES = ("Prefers to be called in the evening.", "Plays left-handed; tell a new teacher.", "Asked for an invoice in the company's name.", "Preparing for an audition in spring.", "Wants to try electric guitar next.")  # fmt: skip
TASKS = ("Call back about the new schedule", "Send the list of strings", "Ask whether the trial lesson was good", "Check the bank transfer")  # fmt: skip
