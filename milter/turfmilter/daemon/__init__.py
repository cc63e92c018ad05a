"""The daemon's processes, sockets and signals, and its checks of the MTAs on this host."""
