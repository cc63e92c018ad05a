/* The references: filters in C on libmilter that do nothing.
 *
 * noop SOCKET [KIND]     SOCKET as libmilter writes it, e.g. unix:/run/noop.sock
 *
 * Without KIND it has five callbacks and answers each, as most filters do.  With a KIND it asks for exactly the
 * events, answers and macros that turfmilter asks for with the configuration of that name in the bench (see
 * contestants.py), and gives the same answers to mail that is accepted.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* What mta/negotiation.py asks for if nothing refuses at connect and no names are needed. */
enum {
    ENVELOPE_UNANSWERED = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR,
    ALWAYS = SMFIP_NOUNKNOWN | SMFIP_SKIP | ENVELOPE_UNANSWERED,
    NO_CONTENT = SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY,
};

static const struct kind {
    const char *name;
    unsigned long protocol, actions;
    sfsistat at_data;
} KINDS[] = {
    /* Messages may be held: with their whole content, and without recipients that are removed. */
    {"envelope", ALWAYS | SMFIP_HDR_LEADSPC, SMFIF_SETSYMLIST | SMFIF_DELRCPT, SMFIS_ACCEPT},
    {"author", ALWAYS | SMFIP_HDR_LEADSPC, SMFIF_SETSYMLIST | SMFIF_DELRCPT, SMFIS_CONTINUE},
    {"trial", ALWAYS | NO_CONTENT, SMFIF_SETSYMLIST, SMFIS_ACCEPT},
};

static const struct {
    int stage;
    char *names;
} MACROS[] = {
    {SMFIM_CONNECT, "j v {client_resolve} {client_name} {daemon_name} {daemon_addr} {daemon_port} {if_addr}"},
    {SMFIM_ENVFROM, "i {auth_type} {auth_authen} {tls_version}"},
    {SMFIM_ENVRCPT, "i {rcpt_addr}"},
    {SMFIM_DATA, "i"},
};

static const struct kind *kind; /* NULL: answer each of five callbacks */

static sfsistat negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered, unsigned long unused2,
                          unsigned long unused3, unsigned long *actions, unsigned long *protocol, unsigned long *also2,
                          unsigned long *also3)
{
    (void)unused2, (void)unused3;
    for (size_t i = 0; i < sizeof MACROS / sizeof *MACROS; i++)
        smfi_setsymlist(ctx, MACROS[i].stage, MACROS[i].names);
    *actions = offered_actions & kind->actions;
    *protocol = offered & kind->protocol;
    *also2 = *also3 = 0;
    return SMFIS_CONTINUE;
}

/* The answer to an event for which a KIND waives one. */
static sfsistat unanswered(void)
{
    return kind ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
    (void)ctx, (void)name, (void)address;
    return unanswered();
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void)ctx, (void)name;
    return unanswered();
}

static sfsistat on_mail(SMFICTX *ctx, char **words)
{
    (void)ctx, (void)words;
    return unanswered();
}

static sfsistat on_recipient(SMFICTX *ctx, char **words)
{
    (void)ctx, (void)words;
    return SMFIS_CONTINUE;
}

static sfsistat on_data(SMFICTX *ctx)
{
    (void)ctx;
    return kind->at_data;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx, (void)name, (void)value;
    return SMFIS_NOREPLY;
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_ACCEPT;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t size)
{
    (void)ctx, (void)bytes, (void)size;
    return SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static const struct kind *find(const char *name)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(KINDS[i].name, name) == 0)
            return &KINDS[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct smfiDesc filter = {.xxfi_name = "noop",
                              .xxfi_version = SMFI_VERSION,
                              .xxfi_connect = on_connect,
                              .xxfi_helo = on_helo,
                              .xxfi_envfrom = on_mail,
                              .xxfi_envrcpt = on_recipient,
                              .xxfi_eom = on_end};
    kind = argc == 3 ? find(argv[2]) : NULL;
    if (kind) {
        filter.xxfi_flags = kind->actions;
        filter.xxfi_negotiate = negotiate;
        filter.xxfi_data = on_data;
        filter.xxfi_header = on_header;
        filter.xxfi_eoh = on_end_of_header;
        filter.xxfi_body = on_body;
    }
    if (argc < 2 || argc > 3 || (argc == 3 && !kind) || smfi_setconn(argv[1]) != MI_SUCCESS ||
        smfi_register(filter) != MI_SUCCESS) {
        fprintf(stderr, "usage: noop SOCKET [envelope|author|trial]\n");
        return EX_USAGE;
    }
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
}
