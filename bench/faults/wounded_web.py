"""The web as it is, with named points at which it can be made to die."""

from __future__ import annotations

import os
from typing import Any

from bench.faults import points, sabotages

points.watch("web")

from wsgi import app  # noqa: E402  # its engine must be watched from the first connection

sabotages.begin(os.environ.get("FAULTS_SABOTAGE_WEB"))
_answer = app.wsgi_app


def _with_points(environ: Any, start: Any) -> Any:
    points.move_clock()
    writes = environ["REQUEST_METHOD"] == "POST"
    if writes:
        points.reach("web: request arrived")
    answer = _answer(environ, start)
    if writes:
        points.reach("web: answer made")
    return answer


app.wsgi_app = _with_points  # type: ignore[method-assign]
