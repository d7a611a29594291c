"""What the school knows about people: which columns hold it, who sees it, how long it is kept, and how it goes."""
