dnl FEATURE(`turfmilter-release'): a listener for messages that are released from quarantine.  turfmilter does not see
dnl them again; all other filters do.
dnl
dnl Copy this file to the directory feature/ of Sendmail's m4 files (Debian: /usr/share/sendmail/cf/feature/), and write
dnl in sendmail.mc, above the MAILER lines:
dnl
dnl	FEATURE(`turfmilter-release')dnl
dnl
dnl The port is 10026, or the one that is named: FEATURE(`turfmilter-release', `10026')
dnl
dnl The filters are all of confINPUT_MAIL_FILTERS except turfmilter, wherever in sendmail.mc they are defined.  Others can
dnl be named, separated by a semicolon; `none' is no filter at all:
dnl
dnl	FEATURE(`turfmilter-release', `10026', `clamav;opendkim')dnl
dnl	FEATURE(`turfmilter-release', `10026', `none')dnl
dnl
dnl It takes connections from this machine only.  Every user of this machine can send past turfmilter through it.
dnl
dnl M=E						no ETRN: clients cannot start the queue from here
dnl
dnl The listener is added to what there is.  With DAEMON_OPTIONS it would take the place of the one on port 25, where
dnl sendmail.mc has none of its own.
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
dnl When sendmail.mc has been read to its end, every filter is known.
define(`_TURFMILTER_AT_THE_END_', `m4wrap(`_TURFMILTER_RELEASE_(`$1', `$2')')')
_TURFMILTER_AT_THE_END_(_ARGS_)
divert(0)dnl
VERSIONID(`turfmilter-release')
