"""Held messages as values: what the ports exchange, and how a held message is written and read."""
