dnl FEATURE(`turfmilter-release'): a listener that no filter looks at, for messages that are released from quarantine.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`turfmilter-release')dnl
dnl
dnl The port is 10026, or the one that is named: FEATURE(`turfmilter-release', `10026')
dnl
dnl It takes connections from this machine only.  Every user of this machine can send past the filter through it.
dnl
dnl InputMailFilters= with nothing behind it	no filter
dnl M=E						no ETRN: nobody starts the queue from here
dnl
dnl The listener is added to what there is.  With DAEMON_OPTIONS it would take the place of the one on port 25, where
dnl sendmail.mc has none of its own.
divert(-1)
define(`_TURFMILTER_PORT_', ifelse(defn(`_ARG_'), `', ``10026'', `defn(`_ARG_')'))
LOCAL_CONFIG
O DaemonPortOptions=Name=release, Family=inet, Addr=127.0.0.1, Port=_TURFMILTER_PORT_, M=E, InputMailFilters=
divert(0)dnl
VERSIONID(`turfmilter-release')
