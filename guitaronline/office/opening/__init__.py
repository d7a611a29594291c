"""A school moves in: its people, packages and future bookings come from CSV files, all of them or none."""
