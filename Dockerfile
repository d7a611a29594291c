# The product as one image: web, worker, scheduler and migration differ by the command that docker-compose.yml gives.
# Nothing is written below /app, nobody is root, nothing of tests, docs or git is inside (.dockerignore).

FROM python:3.13-slim AS libraries
COPY requirements.txt /
RUN python -m venv /opt/libraries \
 && /opt/libraries/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/libraries/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/guitaronline WEB_HOST=0.0.0.0 PORT=8000
RUN groupadd --gid 10001 school \
 && useradd --uid 10001 --gid school --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin school \
 && install --directory --owner=school --group=school --mode=0700 /var/lib/guitaronline
WORKDIR /app
COPY --from=libraries /opt/libraries /opt/libraries
COPY . .
RUN python -m compileall -q /app
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=6 CMD ["python", "-m", "jobs.alive", "web"]
CMD ["sh", "-c", "exec granian --interface wsgi --host ${WEB_HOST:-127.0.0.1} --port ${PORT:-8000} --workers ${WEB_CONCURRENCY:-2} --blocking-threads ${WEB_THREADS:-4} --respawn-failed-workers --workers-kill-timeout 20 --no-ws wsgi:app"]
