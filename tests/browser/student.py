"""A student at the app: registers, is given lessons, and books what is offered. Through the API, as the app does."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import APIRequestContext

from tests.browser.visitor import LOGINS

PASSWORD = "six silver strings sing"


class StudentApp:
    def __init__(self, request: APIRequestContext, name: str) -> None:
        self.request, self.name = request, name
        email = f"{name.lower().replace(' ', '.')}@people.example"
        new = {"email": email, "password": PASSWORD, "full_name": name, "timezone": "America/New_York"}
        self.id = self._call("/identity/auth/register", new)["id"]
        self.token = self._token(email, PASSWORD)
        finance = self._token(LOGINS["finance"].email, LOGINS["finance"].password)
        gift = {
            "student_id": self.id,
            "lessons_total": 3,
            "expires_at": None,
            "price": {"amount_minor": 0, "currency": "USD"},
        }
        self._call("/billing/packages", gift, token=finance)

    def books(self, slot_id: str) -> str:
        """The slot is booked; the booking's id."""
        booking = self._call("/booking/hold", {"slot_id": slot_id}, token=self.token)["id"]
        self._call(f"/booking/{booking}/confirm", None, token=self.token)
        return str(booking)

    def _token(self, email: str, password: str) -> str:
        return str(self._call("/identity/auth/login", {"email": email, "password": password})["access_token"])

    def _call(self, path: str, body: Any, *, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.request.post(f"/api/v1{path}", data=body, headers=headers)
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()
