"""A signed-in admin with cookies: what a browser would send, and how much it would load."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.parse
import urllib.request
from html import unescape
from http.cookiejar import CookieJar

from bench.instance import ROOT, Instance

EMAIL, PASSWORD = "bench.admin@school.example", "bench admin measures all day"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]*)"')
STATIC = re.compile(r'(?:href|src)="(/static/[^"#]+)')


class Browser:
    """Signed in as an admin of the instance's school, who is made when there is none."""

    def __init__(self, instance: Instance) -> None:
        if instance.value(f"SELECT count(*) FROM users WHERE email = '{EMAIL}'") == "0":
            words = ["users", "create", EMAIL, "--role", "admin", "--password", PASSWORD]
            command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
            subprocess.run(command, cwd=ROOT, env=instance.settings, check=True, stdout=subprocess.DEVNULL)
        self.host = f"http://127.0.0.1:{instance.port}"
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.post("/sign-in", self.get("/sign-in"), email=EMAIL, password=PASSWORD)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{each.name}={each.value}" for each in self.jar)

    def get(self, path: str) -> str:
        return str(self.opener.open(f"{self.host}{path}", timeout=60).read().decode())

    def post(self, path: str, page: str, **typed: str) -> tuple[str, bytes]:
        """Where it led to, and what stands there; `page` holds the form's token."""
        token = TOKEN.search(page)
        body = urllib.parse.urlencode({**typed, "csrf_token": unescape(token[1]) if token else ""}).encode()
        answer = self.opener.open(f"{self.host}{path}", body, timeout=60)
        return str(answer.url), answer.read()

    def weight(self, path: str) -> tuple[int, int]:
        """Bytes of the page and of all that it loads, compressed: for the first time, and with the files kept from before."""
        page = self.get(path)
        files = {unescape(each) for each in STATIC.findall(page)}
        warm = self._size(path)
        return warm + sum(self._size(each) for each in files), warm

    def _size(self, path: str) -> int:
        asked = urllib.request.Request(f"{self.host}{path}", headers={"Accept-Encoding": "gzip"})
        return len(self.opener.open(asked, timeout=60).read())
