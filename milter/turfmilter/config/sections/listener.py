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
    """Other rules for one of the MTA's SMTP services; NAME is yours to choose and stands in the log.

    It takes the connections for which all of its conditions (port, address, daemon) hold.
    Of two that take the same connection the one with more conditions does.

    Below it [listener.NAME.connect], [listener.NAME.reverse_name], [listener.NAME.relay], [listener.NAME.limits] and
    [listener.NAME.turf] override the general sections key by key: what is not written there stays as it is.
    """

    port: tuple[int, ...] = setting(
        Several(Port()), [], "Condition: the port that the client connected to.", example=[465, 587]
    )
    address: tuple[IPAddress, ...] = setting(
        Several(LocalAddress()), [], "Condition: the address that the client connected to.", example="192.0.2.25"
    )
    daemon: tuple[str, ...] = setting(
        Several(FreeText("the name of a daemon")),
        [],
        "Condition: what the MTA calls the service: Name= of Sendmail's DaemonPortOptions,"
        " milter_macro_daemon_name of a service in Postfix's master.cf.",
        example="MSA",
    )
    require_auth: bool = setting(
        Flag(), False, "True: clients that have not authenticated hear 530 5.7.0 at each recipient.", example=True
    )
    require_tls: bool = setting(
        Flag(), False, "True: clients that have not started TLS hear 530 5.7.0 at each recipient.", example=True
    )
    connect: ConnectConfig = section(ConnectConfig)
    reverse_name: ReverseNameConfig = section(ReverseNameConfig)
    relay: RelayConfig = section(RelayConfig)
    limits: LimitsConfig = section(LimitsConfig)
    turf: TurfConfig = section(TurfConfig)

    @property
    def conditions(self) -> Listener:
        """What tells its connections apart."""
        return Listener(frozenset(self.port), frozenset(self.address), frozenset(self.daemon))
