"""What people are told: which event tells whom what, by which channel, and whether it arrived."""
