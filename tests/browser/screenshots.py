"""`make screenshots`: the main pages of a fresh demo school, in docs/screenshots/."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.school import demo_school
from tests.browser.visitor import Visitor, a_browser, context_of, sign_in
from tests.local.project import ROOT

FOLDER = ROOT / "docs" / "screenshots"
STUDENTS = 60  # a school that looks lived in


@dataclass(frozen=True)
class Shot:
    """A page: its address, and what is clicked on the way from there. The name is the file's."""

    name: str
    path: str
    clicks: tuple[str, ...] = ()
    phone: bool = False
    dark: bool = False


RECORD = "tbody tr a[href*='/details/']"
SHOTS = (
    Shot("today", "/admin/"),
    Shot("bookings", "/admin/bookings/?state=confirmed"),
    Shot("booking", "/admin/bookings/?state=canceled", (RECORD,)),
    Shot("person", "/admin/people/?search=Abbott", (RECORD,)),
    Shot("new-booking", "/admin/bookings/new"),
    Shot("cancel", "/admin/bookings/?state=confirmed&day=next+7+days", (RECORD, "main a[href$='/cancel']")),
    Shot("audit", "/admin/audit/"),
    Shot("bookings-dark", "/admin/bookings/", dark=True),
    Shot("today-phone", "/admin/", phone=True),
)


def take(browser: Browser, url: str, shot: Shot) -> Path:
    """The picture is in its file, as large as the screen."""
    context = context_of(browser, url, phone=shot.phone, dark=shot.dark)
    admin = Visitor(context, url)
    sign_in(admin, "admin")
    admin.open(shot.path)
    for selector in shot.clicks:
        admin.page.locator(selector).first.click()
        admin.page.wait_for_load_state()
    admin.page.wait_for_load_state("networkidle")
    path = FOLDER / f"{shot.name}.png"
    admin.page.screenshot(path=path)
    context.close()
    shrink(path)
    return path


def shrink(path: Path) -> None:
    """The picture has 256 colours, which is what a page of text needs, and a third of its bytes."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        demo_school(Path(folder), students=STUDENTS) as school,
        a_browser() as browser,
    ):
        for shot in SHOTS:
            path = take(browser, school.url, shot)
            sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
