"""A page that prints well, as a PDF: the one way to make one."""

from __future__ import annotations

import io
from typing import Any

from xhtml2pdf import pisa


class PdfFailed(RuntimeError):
    """The page could not be set; it is a mistake of ours."""


def pdf_of(html: str) -> bytes:
    """The PDF of an HTML page. Nothing is fetched: pages name no file and no address."""
    made = io.BytesIO()
    result: Any = pisa.CreatePDF(html, dest=made, encoding="utf-8", link_callback=_refuse)
    if result.err:
        raise PdfFailed(f"{result.err} errors")
    return made.getvalue()


def _refuse(uri: str, rel: str) -> str:
    """What a page asks for from elsewhere does not exist."""
    return ""
