"""A page becomes a PDF: the same template as on screen, on paper.

The same page gives the same bytes, always: a PDF is made when somebody asks for it, and kept nowhere. What people typed is
text in it; nothing in a page can make the printer read a file or another host.
"""

from __future__ import annotations

import io
import logging
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[1]
FONTS = ROOT / "guitaronline" / "static" / "vendor" / "dejavu"
FAMILY = "DejaVuSans"  # Latin, Greek, Cyrillic
FACES = ((FAMILY, 0), (f"{FAMILY}-Bold", 1))
MIME = "application/pdf"
_one_at_a_time = Lock()  # the library keeps its fonts in globals; there is one of it in a process anyway


class Unprintable(RuntimeError):
    """A template asked for something outside of it, or made no page."""


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def pdf_of(template: str, **values: Any) -> bytes:
    """The page as a PDF."""
    return pdf(_templates().get_template(template).render(**values))


def pdf(page: str) -> bytes:
    """HTML → PDF. Raises Unprintable."""
    from xhtml2pdf.config.resources import ResourceAccessPolicy
    from xhtml2pdf.document import pisaDocument

    nothing = ResourceAccessPolicy(allow_remote=False, base_dir=None)
    made = io.BytesIO()
    with _one_at_a_time:
        _prepare()
        done = pisaDocument(page, made, encoding="utf-8", link_callback=_refuse, resource_policy=nothing)
    if done.err:
        raise Unprintable(f"{done.err} mistakes in the page")
    return made.getvalue()


@cache
def _prepare() -> None:
    """Imported only where something is printed: it takes half a second and 30 MB."""
    from reportlab import rl_config
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from xhtml2pdf import default

    logging.getLogger("xhtml2pdf").setLevel(logging.ERROR)
    rl_config.invariant = 1  # no dates and no random ids
    for face, is_bold in FACES:
        pdfmetrics.registerFont(TTFont(face, str(FONTS / f"{face}.ttf")))
        for is_italic in (0, 1):
            addMapping(FAMILY, is_bold, is_italic, face)
    default.DEFAULT_FONT[FAMILY.lower()] = FAMILY


def _refuse(uri: str, origin: str | None = None) -> NoReturn:
    raise Unprintable("a page to print refers to nothing outside")
