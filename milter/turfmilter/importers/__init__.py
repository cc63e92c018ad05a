"""Foreign formats become entries of our tables."""
