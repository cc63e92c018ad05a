dnl FEATURE(`turfmilter'): Sendmail asks turfmilter about all mail that it takes.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`turfmilter')dnl
dnl
dnl That is for the socket /run/turfmilter/turfmilter.sock.  Another one is named like this:
dnl
dnl	FEATURE(`turfmilter', `local:/var/lib/turfmilter/socket/turfmilter.sock')dnl
dnl	FEATURE(`turfmilter', `inet:8895@127.0.0.1')dnl
dnl
dnl Sendmail refuses to start when the socket lies below a directory that everybody may write to, such as /tmp.
dnl
dnl F=T	While the filter is away, clients hear 451 and come again.  Without a letter mail would pass unfiltered, so that
dnl	anybody who keeps the filter busy could switch it off.  R refuses the mail for good; 4 hangs up.
dnl T=	How long Sendmail waits before it takes the filter for dead:
dnl	C:2m	to be connected: the filter may be starting.
dnl	S:30s	to hand over one piece of a message.
dnl	R:60s	for each answer.  Sendmail's own 10s are too short for a slow disk, to which a message in quarantine is
dnl		written before it is answered.
dnl	E:5m	for the whole of the answer to a message.
dnl
dnl No macros are named (confMILTER_MACROS_...): turfmilter asks Sendmail for those that it needs.
dnl
dnl turfmilter comes first among the filters, so that a message is held as it came, before others stamp or sign it.
dnl A DAEMON_OPTIONS line with InputMailFilters= of its own asks only those: name turfmilter there, too.
dnl A line in sendmail.mc that defines confINPUT_MAIL_FILTERS must stand above this feature.
divert(-1)
define(`_TURFMILTER_SOCKET_', ifelse(defn(`_ARG_'), `', ``local:/run/turfmilter/turfmilter.sock'', `defn(`_ARG_')'))
MAIL_FILTER(`turfmilter', `S='defn(`_TURFMILTER_SOCKET_')`, F=T, T=C:2m;S:30s;R:60s;E:5m')
define(`confINPUT_MAIL_FILTERS',
	ifelse(defn(`confINPUT_MAIL_FILTERS'), `', ``turfmilter'', ``turfmilter, 'defn(`confINPUT_MAIL_FILTERS')'))
divert(0)dnl
VERSIONID(`turfmilter')
