"""Django's admin on the bookings, with its default list. `python -m bench.django_admin` prints the cookie of its admin.

Accounts and sessions are in an SQLite file of its own; the school's database is only read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import django
from django.conf import settings

FOLDER = Path(os.environ["DJANGO_FOLDER"])
school = urlsplit(os.environ["DATABASE_URL"])


class Router:
    """Bookings are the school's, everything else is Django's own."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "school" if model.__name__ == "Booking" else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default" and app_label != "bench"


settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    STATIC_URL="/static/",
    DATABASE_ROUTERS=[Router()],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "accounts.sqlite3"},
        "school": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": school.path[1:],
            "USER": school.username,
            "PASSWORD": school.password,
            "HOST": school.hostname,
            "PORT": school.port,
            "CONN_MAX_AGE": None,
        },
    },
    INSTALLED_APPS=[
        *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
        *("django.contrib.sessions", "django.contrib.messages", "bench"),
    ],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
)
django.setup()

from django.contrib import admin  # noqa: E402  # Django's models need its settings
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


class Booking(models.Model):  # the default list shows `__str__`
    id = models.UUIDField(primary_key=True)
    start_at = models.DateTimeField()
    status = models.TextField()

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "bookings"
        verbose_name_plural: ClassVar[str] = "bookings"


admin.site.register(Booking)
urlpatterns = [path("admin/", admin.site.urls)]
app = get_wsgi_application()


def main() -> None:
    call_command("migrate", verbosity=0)
    user = User.objects.filter(username="bench").first() or User.objects.create_superuser("bench")
    client = Client()
    client.force_login(user)
    print(f"sessionid={client.cookies['sessionid'].value}")


if __name__ == "__main__":
    main()
