"""OpenDKIM and rspamd as Debian installs them, as milters on loopback, inside a machine of the test's own."""

from __future__ import annotations

from pathlib import Path

from rig import wait
from rig.link import accepts
from rig.server import Program

DKIM, SPAM = 8891, 11332


class OpenDkim(Program):
    """OpenDKIM at 127.0.0.1:8891, which adds its result to every message."""

    def __init__(self, place: Path, host: str) -> None:
        config = place / "opendkim.conf"
        config.write_text(
            f"Mode v\nSocket inet:{DKIM}@127.0.0.1\nAuthservID {host}\nAlwaysAddARHeader yes\nSyslog no\n"
            "UserID opendkim\nExternalIgnoreList file:/dev/null\nPeerList file:/dev/null\n"
        )
        config.chmod(0o644)
        ready = f"inet:{DKIM}@127.0.0.1"
        super().__init__(["opendkim", "-f", "-x", config], place / "opendkim.out", lambda: accepts(ready))

    def stop(self, seconds: float = wait.AMPLE) -> int:  # noqa: ARG002
        """Kill it: libmilter itself takes seconds to obey TERM."""
        self.kill()
        return 0


class Rspamd(Program):
    """Rspamd at 127.0.0.1:11332, with its rules as installed, without Redis and name servers."""

    def __init__(self, place: Path) -> None:
        ready = f"inet:{SPAM}@127.0.0.1"
        command = ["rspamd", "-c", "/etc/rspamd/rspamd.conf", "-f", "-u", "_rspamd", "-g", "_rspamd"]
        super().__init__(command, place / "rspamd.out", lambda: accepts(ready))

    def prepare(self) -> None:
        """Make its directories, and let it do the work itself for the milter."""
        for directory in ("/var/lib/rspamd", "/var/log/rspamd", "/run/rspamd"):
            Path(directory).mkdir(parents=True, exist_ok=True)
            Path(directory).chmod(0o777)
        local = Path("/etc/rspamd/local.d")
        (local / "worker-proxy.inc").write_text(
            f'bind_socket = "127.0.0.1:{SPAM}";\nmilter = yes;\ntimeout = 10s;\n'
            'upstream "local" {\n  default = yes;\n  self_scan = yes;\n}\n'
        )
        (local / "worker-normal.inc").write_text("enabled = false;\n")
        (local / "worker-controller.inc").write_text('bind_socket = "127.0.0.1:11334";\n')
        (local / "options.inc").write_text(
            'dns {\n  nameserver = ["127.0.0.1"];\n  timeout = 0.1s;\n  retransmits = 1;\n}\n'
        )
        (local / "logging.inc").write_text('type = "console";\n')
