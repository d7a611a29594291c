"""A school to look around in, made through the commands as if it had lived."""
