"""The whole product on one machine: embedded PostgreSQL and Valkey, the web, the worker and the scheduler.

Knows nothing of the product but its commands, so that the process that watches the others stays small:
neither Flask nor SQLAlchemy is imported here.
"""
