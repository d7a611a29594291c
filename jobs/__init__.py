"""What happens by itself: `python -m jobs.scheduler` rings, `python -m jobs.worker` does."""
