"""Content filters of other kinds, and released mail that passes none; each on a host of its own."""

from __future__ import annotations

from pathlib import Path

from e2e.filteredhost import MESSAGE, OTHER, lines, mail_host, release, send, shown
from rig import wait
from rig.contentfilter import MARK
from rig.smtp import SmtpClient

SIMPLE = """\
filter unix - n n - 10 pipe
  flags=Rq user=nobody null_sender= argv=/etc/postfix/simple -f ${sender} -- ${recipient}
"""

PROXY = """\
127.0.0.1:10025 inet n  -       n       -       -       smtpd
    -o smtpd_authorized_xforward_hosts=127.0.0.0/8
    -o smtpd_client_restrictions=
    -o smtpd_recipient_restrictions=permit_mynetworks,reject
    -o mynetworks=127.0.0.0/8
    -o receive_override_options=no_unknown_recipient_checks
"""

STRICT = "".join(
    f"smtpd_{stage}_restrictions = reject\n"
    for stage in ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
)
STRICT += "smtpd_delay_reject = no\nsmtpd_client_message_rate_limit = 1\nsmtpd_client_recipient_rate_limit = 1\n"


def test_what_main_cf_refuses_does_not_stop_what_is_released_from_any_client(place: Path) -> None:
    with mail_host(place, STRICT, "") as host:
        for number in range(3):
            with SmtpClient(10026) as client:
                client.ehlo()
                assert client.xclient(ADDR="192.0.2.7", NAME="[UNAVAILABLE]").code == 220
                client.ehlo()
                sender = f"<{number}@turf.test>"
                replies = client.transaction(sender, "<x@elsewhere.test>", "<anna@rig.test>", message=MESSAGE)
            assert [reply.code for reply in replies] == [250] * 4
        with SmtpClient(10026) as client:
            client.ehlo()
            assert client.transaction("<3@turf.test>", "<x@elsewhere.test>", message=MESSAGE)[-1].code == 250
        wait.until(lambda: sum(len(one.recipients) for one in host.sink.deliveries) == 7, host.postfix.log)
        assert lines(host, "0@turf.test", 0) == []


def test_unfiltered_release_passes_no_filter(place: Path) -> None:
    main = shown("main.cf") + f"smtpd_milters = {OTHER}\n"
    with mail_host(place, main, shown("master.cf"), "--release", "unfiltered") as host:
        send(host, "<held@turf.test>", "<anna@rig.test>")
        assert [reply[:10] for reply in release("held@turf.test")] == ["250 2.0.0 "]
        wait.until(lambda: host.sink.deliveries, "the message")
        assert len(lines(host, "held@turf.test")) == 1
        (delivery,) = host.sink.deliveries
        assert MARK not in delivery.data
        assert b"X-Saw" not in delivery.data
        assert delivery.data.endswith(MESSAGE)


def test_a_content_filter_that_calls_sendmail_brings_nothing_to_ours_a_second_time(place: Path) -> None:
    with mail_host(place, "", SIMPLE, services=["smtp/inet/content_filter=filter:dummy"]) as host:
        program = host.postfix.config / "simple"
        program.write_text('#!/bin/sh\n{ printf "X-Content-Filter: seen\\n"; cat; } | /usr/sbin/sendmail -G -i "$@"\n')
        program.chmod(0o755)
        send(host, "<once@out.test>", "<anna@rig.test>")
        send(host, "<held@turf.test>", "<anna@rig.test>")
        wait.until(lambda: host.sink.deliveries, host.postfix.log)
        assert release("held@turf.test")[0][:10] == "250 2.0.0 "
        wait.until(lambda: len(host.sink.deliveries) == 2, host.postfix.log)
        assert len(lines(host, "once@out.test")) == 1
        assert len(lines(host, "held@turf.test")) == 1
        assert [delivery.data.count(b"X-Content-Filter: seen") for delivery in host.sink.deliveries] == [1, 1]


def test_behind_a_proxy_listed_senders_are_held_where_it_hands_mail_back(place: Path) -> None:
    """Postfix shows nobody the message at the service that the client speaks to."""
    with mail_host(place, "", PROXY, services=["smtp/inet/smtpd_proxy_filter=127.0.0.1:10024"]) as host:
        send(host, "<held@turf.test>", "<anna@rig.test>")
        send(host, "<once@out.test>", "<anna@rig.test>")
        wait.until(lambda: host.sink.deliveries, host.postfix.log)
        assert "verdict=hold" in lines(host, "held@turf.test")[0]
        assert [delivery.sender for delivery in host.sink.deliveries] == ["once@out.test"]
        assert release("held@turf.test")[0][:10] == "250 2.0.0 "
        wait.until(lambda: len(host.sink.deliveries) == 2, host.postfix.log)
        assert len(lines(host, "held@turf.test")) == 1
        assert [delivery.data.count(MARK) for delivery in host.sink.deliveries] == [1, 1]
