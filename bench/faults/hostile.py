"""`python -m bench.faults.hostile URL SECONDS`: transactions that lock bookings before their packages, against the order of
everybody else (docs/locks.md), so that the two meet in a deadlock. They write nothing."""

from __future__ import annotations

import sys
import threading
import time

import psycopg2

HANDS = 3
BOOKINGS = """
SELECT id FROM bookings WHERE id IN (SELECT id FROM bookings WHERE status IN ('hold', 'confirmed') ORDER BY random() LIMIT 6)
 FOR NO KEY UPDATE"""
PACKAGES = "SELECT id FROM packages WHERE id IN (SELECT package_id FROM bookings WHERE id = ANY(CAST(%s AS uuid[]))) FOR NO KEY UPDATE"


def cross(url: str, until: float) -> None:
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            try:
                cursor.execute(BOOKINGS)
                ids = [row[0] for row in cursor.fetchall()]
                time.sleep(0.03)
                cursor.execute(PACKAGES + " -- crossing", [ids])
                time.sleep(0.01)
            except psycopg2.errors.DeadlockDetected:
                pass
            connection.rollback()
    connection.close()


if __name__ == "__main__":
    end = time.monotonic() + float(sys.argv[2])
    hands = [threading.Thread(target=cross, args=(sys.argv[1], end)) for _ in range(HANDS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
