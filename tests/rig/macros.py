"""The macros of an MTA: what it knows, and what it sends at each stage."""

from __future__ import annotations

from collections.abc import Mapping

from rig.wire import Stage, Text

# What Postfix sends when neither its administrator nor the filter asks for anything else.
DEFAULT = {
    Stage.CONNECT: "j daemon_name daemon_addr v _",
    Stage.HELO: "tls_version cipher cipher_bits cert_subject cert_issuer",
    Stage.MAIL: "auth_type auth_authen auth_author mail_addr mail_host mail_mailer",
    Stage.RCPT: "i rcpt_addr rcpt_host rcpt_mailer",
    Stage.DATA: "i",
    Stage.EOH: "i",
    Stage.EOM: "i",
}
_OF_A_MESSAGE = ("i", "mail_addr", "mail_host", "mail_mailer", "rcpt_addr", "rcpt_host", "rcpt_mailer")


class Macros:
    """A pool of known macros, by name without braces, and the names that the filter asked for.

    A request replaces the stage's own list (Postfix and Sendmail alike).
    """

    def __init__(self) -> None:
        self.known: dict[str, Text] = {
            "j": "mx.rig.test",
            "v": "Postfix 3.7.11",
            "daemon_name": "mx.rig.test",
            "daemon_addr": "127.0.0.1",
            "daemon_port": "25",
        }
        self.requested: dict[Stage, list[str]] = {}
        self._messages = 0

    def take_requests(self, payload: bytes) -> None:
        """Note the lists at the end of the filter's negotiation: each a stage's number (4 bytes) and the names."""
        while payload:
            stage = Stage(int.from_bytes(payload[:4], "big"))
            names, _, payload = payload[4:].partition(b"\0")
            self.requested[stage] = [name.strip("{}") for name in names.decode("ascii").replace(",", " ").split()]

    def learn(self, macros: Mapping[str, Text | None] | None) -> None:
        """Take over new values; None forgets one."""
        for name, value in (macros or {}).items():
            if value is None:
                self.known.pop(name.strip("{}"), None)
            else:
                self.known[name.strip("{}")] = value

    def client(self, name: bytes, address: bytes, port: int) -> None:
        """The macros of a client whose name lookup gave `name`: [192.0.2.9] is a client without a name."""
        unknown = name.startswith(b"[")
        shown = b"unknown" if unknown else name
        self.learn(
            {
                "client_addr": b"IPv6:" + address if b":" in address else address,
                "client_name": shown,
                "client_ptr": shown,
                "client_port": str(port),
                "client_resolve": "FAIL" if unknown else "OK",
                "_": shown + b" [" + address + b"]",
            }
        )

    def new_message(self) -> None:
        """Forget what belonged to the message before."""
        for name in _OF_A_MESSAGE:
            self.known.pop(name, None)

    def recipient_taken(self) -> None:
        """Give the message its queue id: Postfix has one from the first accepted recipient on."""
        if "i" not in self.known:
            self._messages += 1
            self.known["i"] = f"4XyZ{self._messages:06}"

    def at(self, stage: Stage) -> list[Text]:
        """Names and values to send, in turn."""
        names = self.requested.get(stage, DEFAULT[stage].split())
        sent: list[Text] = []
        for name in names:
            if name in self.known:
                sent += [name if len(name) == 1 else f"{{{name}}}", self.known[name]]
        return sent
