/* A load of SMTP sessions as an MTA shows them to a filter, over a unix socket.
 *
 * One thread a connection, as an MTA has one process a session.  Each session is a connection of its own.  What was
 * seen is printed as one JSON object.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"

enum { FIELDS = 12, PATIENCE = 30 };

static struct {
    const char *path, *sender_domain, *author_domain;
    long sessions, connections, recipients, messages, body, fields;
    double seconds;
} order = {.sender_domain = "out.example",
           .author_domain = "out.example",
           .connections = 16,
           .recipients = 1,
           .messages = 1,
           .body = 2048,
           .fields = FIELDS};

static struct {
    atomic_long begun, done, failed;
    atomic_long accepted, discarded, refused, deferred;
    atomic_long worst; /* microseconds of the longest session */
} seen;

static double deadline;
static char *body_bytes;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
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
    for (long i = FIELDS; i < order.fields && code == 'c'; i++) {
        char name[32];
        snprintf(name, sizeof name, "X-Field-%ld", i);
        code = field(link, name, " one of many");
    }
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
                    "            [-b body bytes] [-f header fields] [-s sender domain] [-a author domain] PATH\n");
    exit(64);
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:n:t:r:m:b:f:s:a:")) != -1)
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
        case 'f':
            order.fields = atol(optarg);
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
           now() - begin, seen.done, seen.failed, crossed.round_trips, crossed.sent, crossed.received, seen.accepted,
           seen.discarded, seen.refused, seen.deferred, (double)seen.worst / 1000);
    return 0;
}
