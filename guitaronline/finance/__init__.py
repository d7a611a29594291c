"""What finance signs: liability, statements of teachers, the journal, and the proof that the books agree."""
