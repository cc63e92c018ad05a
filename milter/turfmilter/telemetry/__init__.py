"""What is said: the log."""
