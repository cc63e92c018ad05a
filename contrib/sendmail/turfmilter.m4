dnl FEATURE(`turfmilter'): Sendmail passes all mail that it accepts to turfmilter.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`turfmilter')dnl
dnl
dnl This uses the socket /run/turfmilter/turfmilter.sock.  To use another one:
dnl
dnl	FEATURE(`turfmilter', `local:/var/lib/turfmilter/socket/turfmilter.sock')dnl
dnl	FEATURE(`turfmilter', `inet:8895@127.0.0.1')dnl
dnl
dnl Sendmail refuses to start if the socket is below a directory that everyone may write to, such as /tmp.
dnl
dnl F=T	While the filter is down, clients receive 451 and try again later.  Without a letter mail would pass unfiltered,
dnl	so anyone who keeps the filter busy could bypass it.  R rejects the mail permanently; 4 closes the connection.
dnl T=	How long Sendmail waits before it considers the filter dead:
dnl	C:2m	for the connection: the filter may be starting.
dnl	S:30s	to send one piece of a message.
dnl	R:60s	for each answer.  Sendmail's default of 10s is too short for a slow disk: a held message is written to disk
dnl		before the answer.
dnl	E:5m	for the complete answer to a message.
dnl
dnl No macros need to be set (confMILTER_MACROS_...): turfmilter asks Sendmail for those that it uses.
dnl
dnl turfmilter is the first filter, so that a message is held as it was received, before others stamp or sign it.
dnl A DAEMON_OPTIONS line with its own InputMailFilters= uses only those: add turfmilter there as well.
dnl A line in sendmail.mc that defines confINPUT_MAIL_FILTERS must be above this feature.
divert(-1)
define(`_TURFMILTER_SOCKET_', ifelse(defn(`_ARG_'), `', ``local:/run/turfmilter/turfmilter.sock'', `defn(`_ARG_')'))
MAIL_FILTER(`turfmilter', `S='defn(`_TURFMILTER_SOCKET_')`, F=T, T=C:2m;S:30s;R:60s;E:5m')
define(`confINPUT_MAIL_FILTERS',
	ifelse(defn(`confINPUT_MAIL_FILTERS'), `', ``turfmilter'', ``turfmilter, 'defn(`confINPUT_MAIL_FILTERS')'))
divert(0)dnl
VERSIONID(`turfmilter')
