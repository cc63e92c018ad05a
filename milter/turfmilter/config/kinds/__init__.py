"""The kinds of values: how a text of the configuration becomes a value, or a problem."""
