"""The back office's own records: saved views of lists, exports, bulk actions with their results."""
