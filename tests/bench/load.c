/* A load of SMTP sessions as an MTA shows them to a filter: the milter protocol, version 6, over a unix socket.
 *
 * One thread a connection, as an MTA has one process a session.  As in Postfix what needs no answer waits in a
 * buffer until something does, macros go where the filter asked for them, and what the filter negotiated away is
 * not sent.  Each session is a connection of its own.  What was seen is printed as one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { VERSION = 6, ALL_ACTIONS = 0x1ff, ALL_PROTOCOL = 0x1fffff, SKIP = 0x400, LEADING_SPACE = 0x100000 };
enum { STAGES = 7, CHUNK = 65535, FIELDS = 12, PATIENCE = 30 };
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

static struct {
    const char *path, *sender_domain, *author_domain;
    long sessions, connections, recipients, messages, body;
    double seconds;
} order = {.sender_domain = "out.example",
           .author_domain = "out.example",
           .connections = 16,
           .recipients = 1,
           .messages = 1,
           .body = 2048};

static struct {
    atomic_long begun, done, failed, round_trips, sent, received;
    atomic_long accepted, discarded, refused, deferred;
    atomic_long worst; /* microseconds of the longest session */
} seen;

static double deadline;
static char *body_bytes;

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

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int flush(struct link *link)
{
    size_t done = 0;
    while (done < link->waiting) {
        ssize_t step = send(link->socket, link->out + done, link->waiting - done, MSG_NOSIGNAL);
        if (step <= 0)
            return -1;
        done += (size_t)step;
    }
    seen.sent += (long)done;
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
    seen.received += (long)size;
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
    seen.round_trips++;
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
    seen.round_trips++;
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

static int greet(struct link *link)
{
    char data[256];
    uint16_t port = htons(40000);
    size_t size = add(data, 0, "client.out.example");
    data[size++] = '4';
    memcpy(data + size, &port, 2);
    size = add(data, size + 2, link->client);
    int code = event(link, &CONNECT, data, size);
    return code == 'c' ? event(link, &HELO, data, add(data, 0, "client.out.example")) : code;
}

static int envelope(struct link *link, long message)
{
    char data[512];
    link->queue_id = NULL;
    snprintf(link->sender, sizeof link->sender, "user%ld@host%ld.%s", link->number, link->number % 1000,
             order.sender_domain);
    size_t size = (size_t)sprintf(data, "<%s>", link->sender) + 1;
    size = add(data, add(data, size, "SIZE=2600"), "BODY=8BITMIME");
    int code = event(link, &MAIL, data, size);
    for (long i = 0; i < order.recipients && code == 'c'; i++) {
        snprintf(link->recipient, sizeof link->recipient, "user%ld@rig.test", i);
        size = (size_t)sprintf(data, "<%s>", link->recipient) + 1;
        code = event(link, &RCPT, data, size);
        snprintf(link->id, sizeof link->id, "4Xy%lx%02lx", link->number, message); /* Postfix: from the first on */
        link->queue_id = link->id;
    }
    return code;
}

static int field(struct link *link, const char *name, const char *value)
{
    char data[1024];
    size_t size = add(data, 0, name);
    return event(link, &HEADER, data, add(data, size, value + (link->protocol & LEADING_SPACE ? 0 : 1)));
}

static int header(struct link *link)
{
    static const char *const fields[FIELDS][2] = {
        {"Received", " from client.out.example (client.out.example [192.0.2.9])\n\tby relay.out.example with ESMTPS id 1"},
        {"Received", " from localhost (localhost [127.0.0.1])\n\tby client.out.example with ESMTP id 2"},
        {"DKIM-Signature", " v=1; a=rsa-sha256; c=relaxed/relaxed; d=out.example; s=2026;\n"
                           "\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n"
                           "\tb=Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFy"},
        {"Date", " Mon, 5 Jan 2026 12:00:00 +0000"},
        {"From", NULL},
        {"To", " User <user0@rig.test>"},
        {"Subject", " The minutes of our meeting"},
        {"Message-ID", " <1234567890.abcdef@client.out.example>"},
        {"MIME-Version", " 1.0"},
        {"Content-Type", " text/plain; charset=utf-8"},
        {"Content-Transfer-Encoding", " 8bit"},
        {"X-Mailer", " Example 1.0"},
    };
    int code = 'c';
    for (int i = 0; i < FIELDS && code == 'c'; i++) {
        char author[256];
        snprintf(author, sizeof author, " Some Body <body%ld@host%ld.%s>", link->number, link->number % 1000,
                 order.author_domain);
        code = field(link, fields[i][0], fields[i][1] ? fields[i][1] : author);
    }
    return code;
}

/* One message; the final answer to it. */
static int message(struct link *link, long number)
{
    int code = envelope(link, number);
    if (code == 'c')
        code = event(link, &DATA, NULL, 0);
    if (code == 'c')
        code = header(link);
    if (code == 'c')
        code = event(link, &EOH, NULL, 0);
    for (long at = 0; at < order.body && code == 'c'; at += CHUNK)
        code = event(link, &BODY, body_bytes + at, (size_t)(order.body - at < CHUNK ? order.body - at : CHUNK));
    return code == 'c' || code == 's' ? event(link, &EOM, NULL, 0) : code;
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE};
    strncpy(address.sun_path, order.path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void count(int code)
{
    switch (code) {
    case 'c':
    case 'a':
        seen.accepted++;
        break;
    case 'd':
        seen.discarded++;
        break;
    case 'r':
        seen.refused++;
        break;
    case 'y':
    case 't':
        seen.deferred++;
        break;
    }
}

static int session(struct link *link)
{
    link->waiting = 0;
    snprintf(link->client, sizeof link->client, "10.%ld.%ld.%ld", link->number / 62500 % 250, link->number / 250 % 250,
             link->number % 250 + 1);
    link->socket = dial();
    if (link->socket < 0)
        return -1;
    int code = negotiate(link) ? -1 : greet(link);
    for (long i = 0; i < order.messages && code == 'c'; i++) {
        code = message(link, i);
        count(code);
        code = code > 0 ? 'c' : code;
    }
    if (code > 0 && (frame(link, 'Q', NULL, 0) || flush(link)))
        code = -1;
    close(link->socket);
    return code > 0 ? 0 : -1;
}

static void *connections(void *unused)
{
    struct link *link = calloc(1, sizeof *link);
    (void)unused;
    while (link) {
        link->number = seen.begun++;
        double begin = now();
        if (order.sessions ? link->number >= order.sessions : begin >= deadline)
            break;
        if (session(link))
            seen.failed++;
        else
            seen.done++;
        long taken = (long)((now() - begin) * 1e6), worst = seen.worst;
        while (taken > worst && !atomic_compare_exchange_weak(&seen.worst, &worst, taken))
            ;
    }
    free(link);
    return NULL;
}

static void usage(void)
{
    fprintf(stderr, "usage: load [-c connections] [-n sessions | -t seconds] [-r recipients] [-m messages]\n"
                    "            [-b body bytes] [-s sender domain] [-a author domain] PATH\n");
    exit(64);
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:n:t:r:m:b:s:a:")) != -1)
        switch (option) {
        case 'c':
            order.connections = atol(optarg);
            break;
        case 'n':
            order.sessions = atol(optarg);
            break;
        case 't':
            order.seconds = atof(optarg);
            break;
        case 'r':
            order.recipients = atol(optarg);
            break;
        case 'm':
            order.messages = atol(optarg);
            break;
        case 'b':
            order.body = atol(optarg);
            break;
        case 's':
            order.sender_domain = optarg;
            break;
        case 'a':
            order.author_domain = optarg;
            break;
        default:
            usage();
        }
    if (optind != argc - 1 || (!order.sessions && order.seconds <= 0))
        usage();
    order.path = argv[optind];
    body_bytes = malloc((size_t)order.body + 1);
    for (long i = 0; i < order.body; i++)
        body_bytes[i] = "The quick brown fox jumps over the lazy dog, and the dog sleeps on for another hour.\r\n"[i % 86];
    pthread_t *threads = calloc((size_t)order.connections, sizeof *threads);
    double begin = now();
    deadline = begin + order.seconds;
    for (long i = 0; i < order.connections; i++)
        if (pthread_create(&threads[i], NULL, connections, NULL))
            return 71;
    for (long i = 0; i < order.connections; i++)
        pthread_join(threads[i], NULL);
    printf("{\"seconds\": %.6f, \"sessions\": %ld, \"failed\": %ld, \"round_trips\": %ld, \"sent\": %ld, "
           "\"received\": %ld, \"accepted\": %ld, \"discarded\": %ld, \"refused\": %ld, \"deferred\": %ld, "
           "\"worst_ms\": %.3f}\n",
           now() - begin, seen.done, seen.failed, seen.round_trips, seen.sent, seen.received, seen.accepted,
           seen.discarded, seen.refused, seen.deferred, (double)seen.worst / 1000);
    return 0;
}
