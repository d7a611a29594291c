"""Two records of one person become one; what moved is written down, so that it can be taken back."""
