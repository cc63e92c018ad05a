"""Checks how Postfix uses the filter: its position, the action while it is down, and mail that passes it twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Mode
from turfmilter.daemon.sparing import sparing_local, sparing_loopback
from turfmilter.importers.maincf import words
from turfmilter.importers.mastercf import MasterService

# The parameters of main.cf that the checks need.
PARAMETERS = (
    "smtpd_milters",
    "non_smtpd_milters",
    "milter_default_action",
    "queue_directory",
    "receive_override_options",
    "content_filter",
    "smtpd_proxy_filter",
    "recipient_bcc_maps",
    "sender_bcc_maps",
    "always_bcc",
)
_COPIES = ("recipient_bcc_maps", "sender_bcc_maps", "always_bcc")
_OUTCOMES = {
    "accept": "mail passes unfiltered",
    "reject": "mail is rejected permanently",
    "quarantine": "mail goes to the hold queue",
}
_SAFE = "default_action=tempfail"


@dataclass(frozen=True, slots=True)
class Milter:
    """One filter of a list: its socket as written there, and its default_action ("" if it has none)."""

    where: str
    default_action: str = ""

    @property
    def line(self) -> str:
        """The filter as it should be written in main.cf."""
        return f"{{ {self.where}, {_SAFE} }}"


def milters(value: str) -> list[Milter]:
    """The filters in a value of smtpd_milters, in their order."""
    found = []
    for word in words(value):
        where, *settings = list(words(word[1:-1] if word.startswith("{") else word)) or [""]
        # A setting with blanks around its "=" is in braces of its own: { name = value }.
        pairs = (setting.strip("{ }").partition("=") for setting in settings)
        values = {name.strip(): action.strip() for name, _, action in pairs}
        found.append(Milter(where, values.get("default_action", "")))
    return found


def warnings(config: Config, main: Mapping[str, str], services: Iterable[MasterService], today: date) -> list[str]:
    """Warnings about how Postfix uses the filter; none if the filter is not attached.

    `main` has the PARAMETERS of main.cf, expanded; `services` are those in master.cf.  Entries that have expired
    before `today` are ignored.
    """
    found, services = _Found(config.socket, main), list(services)
    taking = [service for service in services if service.takes_mail]
    lists = [("main.cf: smtpd_milters", main["smtpd_milters"], main["milter_default_action"])]
    if main["non_smtpd_milters"] != main["smtpd_milters"]:  # equal lists would give the same warnings twice
        lists.append(("main.cf: non_smtpd_milters", main["non_smtpd_milters"], main["milter_default_action"]))
    for service in filter(_has_own, taking):
        own = {**main, **service.options}
        lists.append((f"{service}: smtpd_milters", own["smtpd_milters"], own["milter_default_action"]))
    if not any(found.ours(value) for _, value, _ in lists):
        return []  # not attached yet: every list would omit the filter
    said = [sentence for one in lists for sentence in found.doubts(*one)]
    said += found.left_out(taking, handed_back_as_local=_piped(main, services))
    said += found.second_passes(taking)
    said += _copies(config, main)
    said += _spared(config, found, services, today)
    return said


def _takes_back(service: MasterService) -> bool:
    """True if a content filter returns mail through `service`, so that it must not be filtered a second time."""
    own = service.options
    unfiltered = any(own.get(name) == "" for name in ("content_filter", "smtpd_proxy_filter"))
    return service.loopback and (unfiltered or "smtpd_authorized_xforward_hosts" in own)


def _piped(main: Mapping[str, str], services: Iterable[MasterService]) -> bool:
    """True if a content filter is a program run by pipe(8): mail that it returns looks like local mail."""
    pipes = {service.name for service in services if service.program == "pipe"}
    filters = [main["content_filter"], *(service.options.get("content_filter", "") for service in services)]
    return any(one.partition(":")[0] in pipes for one in filters)


def _has_own(service: MasterService) -> bool:
    return not {"smtpd_milters", "milter_default_action"}.isdisjoint(service.options)


@dataclass(frozen=True, slots=True)
class _Found:
    """Finds the uses of our `socket` in the parameters `main` of main.cf and in services of master.cf."""

    socket: SocketSpec
    main: Mapping[str, str]

    def ours(self, value: str) -> Milter | None:
        """Our filter in a list of filters; None if it is not listed."""
        return next((one for one in milters(value) if self._is_ours(one.where)), None)

    def doubts(self, place: str, value: str, default_action: str) -> Iterator[str]:
        """Warnings about one list of filters: its `place` in the configuration, its `value` and default action."""
        every, ours = milters(value), self.ours(value)
        if ours is None:
            return
        if every[0] != ours:
            yield (
                f"{place}: {every[0].where} comes before turfmilter, so it signs and changes mail that"
                f" is then held; list {ours.line} first"
            )
        action = ours.default_action or default_action
        if action in _OUTCOMES:
            key = "default_action" if ours.default_action else "milter_default_action"
            yield (f"{place}: while turfmilter is down, {_OUTCOMES[action]} ({key}={action}); write {ours.line}")
        elif not ours.default_action:
            yield (
                f"{place}: what happens while turfmilter is down is left to milter_default_action,"
                f" which other filters share; write {ours.line}"
            )

    def left_out(self, services: Iterable[MasterService], *, handed_back_as_local: bool) -> Iterator[str]:
        """Warnings about mail that Postfix accepts without asking the filter.

        Services on loopback are assumed to do so on purpose, and so is local mail if a content filter returns mail
        that way (`handed_back_as_local`).
        """
        in_main = self.ours(self.main["smtpd_milters"])
        if in_main and not handed_back_as_local and not self.ours(self.main["non_smtpd_milters"]):
            yield (
                "main.cf: non_smtpd_milters: turfmilter is not listed, so mail from programs on this host (sendmail,"
                f" cron) is not filtered; add {in_main.line}"
            )
        for service in services:
            if not service.loopback and not self._asked(service):
                reason = "receive_override_options" if self._unseen(service) else "smtpd_milters"
                yield (
                    f"{service}: {reason}: omits turfmilter, so mail received there is not filtered;"
                    " remove that line, unless this is intended"
                )

    def second_passes(self, services: Iterable[MasterService]) -> Iterator[str]:
        """Warnings about services through which a content filter returns mail that has passed the filter before.

        For a service with a before-queue proxy, Postfix does not send the message to filters, so it must be filtered
        where the proxy returns it.
        """
        services = list(services)
        back = [service for service in services if _takes_back(service)]
        asked = [service for service in back if self._asked(service)]
        proxied = [service for service in services if self._own(service, "smtpd_proxy_filter")]
        if proxied and back and not asked:
            yield (
                f"{proxied[0]}: smtpd_proxy_filter: Postfix does not send the message to turfmilter there, so mail"
                " from listed senders is not held; add turfmilter to smtpd_milters of the service where the proxy"
                " returns mail"
            )
        for service in [] if proxied else asked:
            yield (
                f"{service}: mail that a content filter returns there passes turfmilter a second time: it is counted"
                ' twice, and its client is this host; add "-o smtpd_milters=" there, followed by your other filters,'
                " if any"
            )

    def sees_local(self) -> bool:
        """True if Postfix passes mail from programs on this host through the filter."""
        return self.ours(self.main["non_smtpd_milters"]) is not None

    def sees_proxied(self, services: Iterable[MasterService]) -> bool:
        """True if mail that a before-queue proxy returns passes the filter; its client is then this host."""
        services = list(services)
        proxied = any(self._own(service, "smtpd_proxy_filter") for service in services)
        return proxied and any(_takes_back(service) and self._asked(service) for service in services)

    def _asked(self, service: MasterService) -> bool:
        return self.ours(self._own(service, "smtpd_milters")) is not None and not self._unseen(service)

    def _unseen(self, service: MasterService) -> bool:
        return "no_milters" in words(self._own(service, "receive_override_options"))

    def _own(self, service: MasterService, parameter: str) -> str:
        return service.options.get(parameter, self.main[parameter])

    def _is_ours(self, where: str) -> bool:
        kind, _, rest = where.partition(":")
        if kind in ("unix", "local"):
            queue = PurePosixPath(self.main["queue_directory"])
            # In a chroot an absolute path also starts at the queue directory.
            return self.socket.path in (str(queue / rest), str(queue / rest.lstrip("/")))
        host, _, port = rest.rpartition(":")  # inet:HOST:PORT; Sendmail writes inet:PORT@HOST
        return kind == "inet" and self.socket.at(host.strip("[]"), port)


def _copies(config: Config, main: Mapping[str, str]) -> Iterator[str]:
    """Warnings about copies that Postfix makes before the filter decides: removing a recipient does not remove them."""
    views = [config, *map(config.at, config.listener)]
    exempts = any(view.turf.tables and view.turf.exempt and view.turf.mode is Mode.ENFORCE for view in views)
    if not exempts or config.mode is not Mode.ENFORCE:
        return
    for name in _COPIES:
        if main.get(name):
            yield (
                f"main.cf: {name}: if another recipient is exempt, a copy is delivered although the message is held"
                " from its recipient; set exempt = [] in [turf], or make the copies elsewhere"
            )


def _spared(config: Config, found: _Found, services: Iterable[MasterService], today: date) -> Iterator[str]:
    """Warnings about keys of [turf] that, with this configuration of Postfix, spare no mail or all mail."""
    if sparing_local(config) and not found.sees_local():
        yield (
            "turf.spare_local: has no effect, because turfmilter is not listed in non_smtpd_milters and does not"
            " receive mail from programs on this host; add turfmilter there, or remove this key"
        )
    loopback = sparing_loopback(config, today)
    if loopback and found.sees_proxied(services):
        yield (
            f"turf.spare_clients: {loopback} also matches the before-queue proxy (smtpd_proxy_filter), which returns"
            " all mail from this host, so no mail is held; remove that entry"
        )
