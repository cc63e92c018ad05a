"""A protocol engine of our own: one thread with epoll, for the callbacks that libmilter calls elsewhere."""
