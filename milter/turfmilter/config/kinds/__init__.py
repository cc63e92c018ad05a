"""The kinds of values: how a value in the configuration is parsed, and how an invalid one is reported."""
