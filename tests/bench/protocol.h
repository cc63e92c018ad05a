/* An MTA's end of the milter protocol, version 6, on a connected socket: frames, negotiation, macros, events.
 *
 * As in Postfix what needs no answer waits in a buffer until something does, macros go where the filter asked for
 * them, and what the filter negotiated away is not sent.
 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { VERSION = 6, ALL_ACTIONS = 0x1ff, ALL_PROTOCOL = 0x1fffff, SKIP = 0x400, LEADING_SPACE = 0x100000 };
enum { STAGES = 7, CHUNK = 65535 };
enum { AT_CONNECT, AT_HELO, AT_MAIL, AT_RCPT, AT_DATA, AT_EOM, AT_EOH, NOWHERE = -1 };

struct event {
    char command;
    int stage;           /* whose macros are sent before it */
    uint32_t off, quiet; /* the bits SMFIP_NO... and SMFIP_NR_... */
};

static const struct event CONNECT = {'C', AT_CONNECT, 0x1, 0x1000}, HELO = {'H', AT_HELO, 0x2, 0x2000},
                          MAIL = {'M', AT_MAIL, 0x4, 0x4000}, RCPT = {'R', AT_RCPT, 0x8, 0x8000},
                          DATA = {'T', AT_DATA, 0x200, 0x10000}, HEADER = {'L', NOWHERE, 0x20, 0x80},
                          EOH = {'N', AT_EOH, 0x40, 0x40000}, BODY = {'B', NOWHERE, 0x10, 0x80000},
                          EOM = {'E', AT_EOM, 0, 0};

/* What Postfix sends without a request. */
static const char *const DEFAULTS[STAGES] = {
    "j {daemon_name} {daemon_addr} v _",
    "{tls_version} {cipher} {cipher_bits}",
    "{auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    "i",
    "i",
    "i",
};

/* Over all connections. */
static struct {
    atomic_long round_trips, sent, received; /* the last two in bytes */
} crossed;

struct link {
    int socket;
    uint32_t protocol;
    char macros[STAGES][512];
    char out[2 * CHUNK + 8192];
    size_t waiting;
    char in[CHUNK];
    long number; /* of the session */
    const char *queue_id;
    char id[32], sender[128], recipient[128], client[32];
};

static int flush(struct link *link)
{
    size_t done = 0;
    while (done < link->waiting) {
        ssize_t step = send(link->socket, link->out + done, link->waiting - done, MSG_NOSIGNAL);
        if (step <= 0)
            return -1;
        done += (size_t)step;
    }
    crossed.sent += (long)done;
    link->waiting = 0;
    return 0;
}

static int frame(struct link *link, char command, const char *data, size_t size)
{
    if (link->waiting + size + 5 > sizeof link->out && flush(link))
        return -1;
    uint32_t length = htonl((uint32_t)size + 1);
    char *end = link->out + link->waiting;
    memcpy(end, &length, 4);
    end[4] = command;
    if (size)
        memcpy(end + 5, data, size);
    link->waiting += size + 5;
    return 0;
}

static int receive(struct link *link, char *into, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t step = recv(link->socket, into + done, size - done, 0);
        if (step <= 0)
            return -1;
        done += (size_t)step;
    }
    crossed.received += (long)size;
    return 0;
}

/* The command of the next frame, whose `size` bytes of data are in link->in; -1 when there is none. */
static int read_frame(struct link *link, size_t *size)
{
    uint32_t length;
    if (receive(link, (char *)&length, 4))
        return -1;
    *size = ntohl(length);
    if (*size < 1 || *size > sizeof link->in || receive(link, link->in, *size))
        return -1;
    return (unsigned char)link->in[0];
}

/* The answer to what was sent; changes to the message and pleas for patience come before it. */
static int answer(struct link *link)
{
    size_t size;
    int command;
    if (flush(link))
        return -1;
    do
        command = read_frame(link, &size);
    while (command > 0 && strchr("p+2-hmibqeOl", command));
    crossed.round_trips++;
    return command;
}

static const char *macro(struct link *link, const char *name)
{
    const struct {
        const char *name, *value;
    } known[] = {
        {"j", "mx.rig.test"},
        {"v", "Postfix 3.7.11"},
        {"_", "client.out.example"},
        {"i", link->queue_id},
        {"{daemon_name}", "mx.rig.test"},
        {"{daemon_addr}", "127.0.0.1"},
        {"{daemon_port}", "25"},
        {"{client_addr}", link->client},
        {"{client_name}", "client.out.example"},
        {"{client_ptr}", "client.out.example"},
        {"{client_resolve}", "OK"},
        {"{mail_addr}", link->sender},
        {"{mail_host}", "out.example"},
        {"{mail_mailer}", "smtp"},
        {"{rcpt_addr}", link->recipient},
        {"{rcpt_host}", "rig.test"},
        {"{rcpt_mailer}", "local"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].value;
    return NULL;
}

static size_t add(char *to, size_t at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(to + at, text, size);
    return at + size;
}

static int send_macros(struct link *link, const struct event *event)
{
    char names[512], data[4096];
    char *rest = NULL;
    size_t size = 1;
    data[0] = event->command;
    strcpy(names, link->macros[event->stage]);
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        const char *value = macro(link, name);
        if (value)
            size = add(data, add(data, size, name), value);
    }
    return size > 1 ? frame(link, 'D', data, size) : 0;
}

/* The filter's answer to one event; 'c' where it wants none. */
static int event(struct link *link, const struct event *event, const char *data, size_t size)
{
    if (event->stage != NOWHERE && send_macros(link, event))
        return -1;
    if (link->protocol & event->off)
        return 'c';
    if (frame(link, event->command, data, size))
        return -1;
    return link->protocol & event->quiet ? 'c' : answer(link);
}

static int negotiate(struct link *link)
{
    uint32_t offer[3] = {htonl(VERSION), htonl(ALL_ACTIONS), htonl(ALL_PROTOCOL)};
    size_t size;
    if (frame(link, 'O', (char *)offer, sizeof offer) || flush(link) || read_frame(link, &size) != 'O' || size < 13)
        return -1;
    crossed.round_trips++;
    memcpy(&link->protocol, link->in + 9, 4);
    link->protocol = ntohl(link->protocol);
    for (int stage = 0; stage < STAGES; stage++)
        strcpy(link->macros[stage], DEFAULTS[stage]);
    for (size_t at = 13; at + 4 < size; at += strlen(link->in + at) + 1) {
        uint32_t stage;
        memcpy(&stage, link->in + at, 4);
        stage = ntohl(stage);
        at += 4;
        if (stage >= STAGES || strlen(link->in + at) >= sizeof link->macros[stage])
            return -1;
        strcpy(link->macros[stage], link->in + at);
    }
    return 0;
}
