"""The sections [listener.NAME]."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.config.kinds.addresses import LocalAddress, Port
from turfmilter.config.kinds.words import Flag, FreeText, Several
from turfmilter.config.sections.connect import ConnectConfig
from turfmilter.config.sections.limits import LimitsConfig
from turfmilter.config.sections.relay import RelayConfig
from turfmilter.config.sections.reverse_name import ReverseNameConfig
from turfmilter.config.sections.turf import TurfConfig
from turfmilter.config.setting import section, setting
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.policy import Listener


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """Other rules for one of the MTA's SMTP services. You choose NAME, which appears in the log.

    A listener applies to the connections that meet all of its conditions (port, address, daemon).
    If several match, the one with the most conditions applies.

    [listener.NAME.connect], [listener.NAME.reverse_name], [listener.NAME.relay], [listener.NAME.limits] and
    [listener.NAME.turf] override the general sections key by key: keys that are not set there are not changed.
    """

    port: tuple[int, ...] = setting(
        Several(Port()), [], "Condition: the port to which the client connected.", example=[465, 587]
    )
    address: tuple[IPAddress, ...] = setting(
        Several(LocalAddress()), [], "Condition: the address to which the client connected.", example="192.0.2.25"
    )
    daemon: tuple[str, ...] = setting(
        Several(FreeText("the name of a daemon")),
        [],
        "Condition: the MTA's name for the service: Name= in Sendmail's DaemonPortOptions,"
        " milter_macro_daemon_name of a service in Postfix's master.cf.",
        example="MSA",
    )
    require_auth: bool = setting(
        Flag(), False, "True: clients that have not authenticated receive 530 5.7.0 at each recipient.", example=True
    )
    require_tls: bool = setting(
        Flag(), False, "True: clients that have not started TLS receive 530 5.7.0 at each recipient.", example=True
    )
    connect: ConnectConfig = section(ConnectConfig)
    reverse_name: ReverseNameConfig = section(ReverseNameConfig)
    relay: RelayConfig = section(RelayConfig)
    limits: LimitsConfig = section(LimitsConfig)
    turf: TurfConfig = section(TurfConfig)

    @property
    def conditions(self) -> Listener:
        """The conditions by which its connections are recognised."""
        return Listener(frozenset(self.port), frozenset(self.address), frozenset(self.daemon))
