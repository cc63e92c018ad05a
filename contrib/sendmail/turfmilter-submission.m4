dnl FEATURE(`turfmilter-submission'): the listener for your own users, who log in first.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`no_default_msa')dnl
dnl	FEATURE(`turfmilter-submission')dnl
dnl
dnl The port is 587, or the one that is named: FEATURE(`turfmilter-submission', `587')
dnl Another DAEMON_OPTIONS line for that port must go.  Debian's sendmail.mc has one, Name=MSP-v4.
dnl
dnl Name=submission	what turfmilter's log says in listener=, and [listener.NAME] in turfmilter.toml can ask for:
dnl
dnl				[listener.submission]
dnl				daemon = "submission"
dnl				require_auth = true
dnl				require_tls = true
dnl
dnl M=Ea			a: nobody sends without a login.  E: no ETRN.
dnl
dnl Logins, certificates and confAUTH_MECHANISMS are set up as for any other Sendmail.
dnl
dnl The listener is added to what there is.  With DAEMON_OPTIONS it would take the place of the one on port 25, where
dnl sendmail.mc has none of its own.
divert(-1)
define(`_TURFMILTER_PORT_', ifelse(defn(`_ARG_'), `', ``587'', `defn(`_ARG_')'))
LOCAL_CONFIG
O DaemonPortOptions=Name=submission, Family=inet, Port=_TURFMILTER_PORT_, M=Ea
divert(0)dnl
VERSIONID(`turfmilter-submission')
