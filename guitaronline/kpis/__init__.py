"""The numbers the school is run by: defined in words, counted per day, the same at every door."""
