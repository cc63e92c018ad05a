"""Tables of entries: patterns, how they are read, and how one is found among millions."""
