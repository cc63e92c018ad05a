"""Tables of entries: patterns, how they are parsed, and how one is found among millions.  README.md explains it."""
