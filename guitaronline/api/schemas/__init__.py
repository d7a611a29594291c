"""What goes in and out: input schemas that check, output schemas that describe, and the functions that make the output."""
