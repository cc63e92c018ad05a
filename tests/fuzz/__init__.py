"""Random input against real programs, for as long as is asked for."""
