"""The sections of the configuration, each a dataclass that is its documentation too."""
