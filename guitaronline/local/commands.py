"""The processes of the product, each as the shell line that starts it. Procfile and docker-compose.yml repeat them.

Every setting is read from the environment by `config.py`; the lines name only what the web server itself needs.
"""

from __future__ import annotations

RELEASE = "flask --app wsgi db upgrade"

# Granian reads and writes the sockets in Rust, so that a slow client holds no Python thread.
WEB = (
    "granian --interface wsgi --host ${WEB_HOST:-127.0.0.1} --port ${PORT:-8000}"
    " --workers ${WEB_CONCURRENCY:-2} --blocking-threads ${WEB_THREADS:-4}"
    " --respawn-failed-workers --workers-kill-timeout 20 --no-ws wsgi:app"
)
WORKER = "python -m jobs.worker"
SCHEDULER = "python -m jobs.scheduler"
CATCHER = "python -m guitaronline.local.catcher"  # of the embedded run only, where MAIL_TRANSPORT=catcher

LOAD_DEMO = "flask --app wsgi demo load"

# In the order of starting; stopped all at once, before the servers.
PROCESSES = {"web": WEB, "worker": WORKER, "scheduler": SCHEDULER}
