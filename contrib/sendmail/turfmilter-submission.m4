dnl FEATURE(`turfmilter-submission'): the listener for your own users, who must log in.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`no_default_msa')dnl
dnl	FEATURE(`turfmilter-submission')dnl
dnl
dnl The port is 587, or the second argument: FEATURE(`turfmilter-submission', `587')
dnl Remove any other DAEMON_OPTIONS line for that port.  Debian's sendmail.mc has one, Name=MSP-v4.
dnl
dnl Name=submission	the name in listener= of turfmilter's log, and for a [listener.NAME] section in turfmilter.toml:
dnl
dnl				[listener.submission]
dnl				daemon = "submission"
dnl				require_auth = true
dnl				require_tls = true
dnl
dnl M=Ea			a: no client can send without a login.  E: no ETRN.
dnl
dnl Logins, certificates and confAUTH_MECHANISMS are set up as for any other Sendmail.
dnl
dnl The listener is added to the existing ones.  DAEMON_OPTIONS would replace the default listener on port 25 if
dnl sendmail.mc defines none.
divert(-1)
define(`_TURFMILTER_PORT_', ifelse(defn(`_ARG_'), `', ``587'', `defn(`_ARG_')'))
LOCAL_CONFIG
O DaemonPortOptions=Name=submission, Family=inet, Port=_TURFMILTER_PORT_, M=Ea
divert(0)dnl
VERSIONID(`turfmilter-submission')
