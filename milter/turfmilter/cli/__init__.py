"""The programs people call."""
