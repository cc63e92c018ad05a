"""The engine loop: our own implementation of the milter protocol, in one thread with epoll."""
