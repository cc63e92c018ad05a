"""Postfix's own matching of lists such as mynetworks and relay_domains, called in its library."""

from __future__ import annotations

import ctypes
from typing import Self

_LIBRARY = "/usr/lib/postfix/libpostfix-util.so"
_PARENT = 1  # MATCH_FLAG_PARENT: the list is in parent_domain_matches_subdomains


class PostfixList:
    """What Postfix makes of `pattern`, written as in main.cf: "/file", "texthash:/file".

    `parent`: whether the list is in parent_domain_matches_subdomains.
    """

    def __init__(self, pattern: str, *, parent: bool) -> None:
        self._library = ctypes.CDLL(_LIBRARY)
        self._library.match_list_init.restype = ctypes.c_void_p
        self._names = self._begin(pattern, parent, self._library.match_hostname)
        self._clients = self._begin(pattern, parent, self._library.match_hostname, self._library.match_hostaddr)

    def holds(self, domain: str) -> bool:
        """True if the list contains `domain`."""
        return self._match(self._names, domain)

    def holds_client(self, name: str, address: str) -> bool:
        """True if the list contains a client; "unknown" is the name of one that has none."""
        return self._match(self._clients, name, address)

    def _begin(self, pattern: str, parent: bool, *compare: ctypes._NamedFuncPointer) -> ctypes.c_void_p:
        functions = [ctypes.cast(function, ctypes.c_void_p) for function in compare]
        flags = _PARENT if parent else 0
        begun = self._library.match_list_init(b"list", flags, pattern.encode(), len(functions), *functions)
        return ctypes.c_void_p(begun)

    def _match(self, matching: ctypes.c_void_p, *texts: str) -> bool:
        return bool(self._library.match_list_match(matching, *(ctypes.c_char_p(text.encode()) for text in texts)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for matching in (self._names, self._clients):
            self._library.match_list_free(matching)
