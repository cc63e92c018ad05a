"""The sections of the configuration, each a dataclass that also has its documentation."""
