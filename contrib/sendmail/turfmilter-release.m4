dnl FEATURE(`turfmilter-release'): a listener for messages that are released from quarantine.  turfmilter does not see
dnl them again; all other filters do.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`turfmilter-release')dnl
dnl
dnl The port is 10026, or the second argument: FEATURE(`turfmilter-release', `10026')
dnl
dnl The filters are all of confINPUT_MAIL_FILTERS except turfmilter, wherever in sendmail.mc they are defined.  To use
dnl others, name them, separated by semicolons; `none' means no filter at all:
dnl
dnl	FEATURE(`turfmilter-release', `10026', `clamav;opendkim')dnl
dnl	FEATURE(`turfmilter-release', `10026', `none')dnl
dnl
dnl It accepts connections from this machine only.  Every user of this machine can send past turfmilter through it.
dnl
dnl M=E						no ETRN: clients cannot start the queue from here
dnl
dnl The listener is added to the existing ones.  DAEMON_OPTIONS would replace the default listener on port 25 if
dnl sendmail.mc defines none.
divert(-1)
dnl The arguments except `turfmilter', with a semicolon in front of each.
define(`_TURFMILTER_OTHERS_', `ifelse(`$1', `', `', `$1', `turfmilter', `', `;`$1'')ifelse(`$#', `1', `',
	`_TURFMILTER_OTHERS_(shift($@))')')
define(`_TURFMILTER_RELEASE_', `PUSHDIVERT(6)dnl
O DaemonPortOptions=Name=release, Family=inet, Addr=127.0.0.1, Port=ifelse(`$1', `', `10026', `$1'), M=E, dnl
InputMailFilters=ifelse(`$2', `none', `', `$2', `',
	`substr(_TURFMILTER_OTHERS_(translit(defn(`confINPUT_MAIL_FILTERS'), `; 	', `,')), 1)',
	`translit(`$2', `, 	', `;')')
POPDIVERT`'dnl
')
dnl Evaluated at the end of sendmail.mc, when every filter is known.
define(`_TURFMILTER_AT_THE_END_', `m4wrap(`_TURFMILTER_RELEASE_(`$1', `$2')')')
_TURFMILTER_AT_THE_END_(_ARGS_)
divert(0)dnl
VERSIONID(`turfmilter-release')
