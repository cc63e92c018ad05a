"""The log: its lines, where they are sent, and the thread that sends them."""
