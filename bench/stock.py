"""Flask-Admin as its manual shows it: a ModelView on the bookings, with the two people of each."""

from __future__ import annotations

import os

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, scoped_session, sessionmaker
from sqlalchemy.types import DateTime, Text, Uuid


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id = mapped_column(Uuid, primary_key=True)
    full_name = mapped_column(Text)

    def __str__(self) -> str:
        return str(self.full_name)


class Booking(Base):
    __tablename__ = "bookings"
    id = mapped_column(Uuid, primary_key=True)
    start_at = mapped_column(DateTime(timezone=True))
    status = mapped_column(Text)
    created_at = mapped_column(DateTime(timezone=True))
    student_id = mapped_column(ForeignKey("users.id"))
    teacher_id = mapped_column(ForeignKey("users.id"))
    student: Mapped[User] = relationship(foreign_keys=[student_id])
    teacher: Mapped[User] = relationship(foreign_keys=[teacher_id])


class Bookings(ModelView):
    column_list = ("start_at", "student", "teacher", "status", "created_at")


engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"))
session: scoped_session[Session] = scoped_session(sessionmaker(engine))
app = Flask(__name__)
app.secret_key = "bench"
app.teardown_request(lambda error: session.remove())
admin = Admin(app)
admin.add_view(Bookings(Booking, session))
