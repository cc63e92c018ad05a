"""The test ground: a milter client, a private Postfix, an SMTP sink and client, and the daemon as a child."""
