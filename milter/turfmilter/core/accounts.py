"""Lists of authenticated names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts that a rule is about; with `names` None every account.

    A name without "@" matches the user part, because Postfix says alice@realm where Sendmail says alice.
    Names are in lower case, which is all that is folded (RFC 8265 §3.3): straße is not strasse.
    """

    names: frozenset[str] | None = None

    def __contains__(self, account: object) -> bool:
        """True for an authenticated `account` that is meant; "" is nobody."""
        if not isinstance(account, str) or not account or self.names is None:
            return bool(account)
        account = account.lower()
        return account in self.names or account.partition("@")[0] in self.names
