/* The reference for the quarantine: threads that write, fsync, link and fsync bare files, and nothing else.
 *
 * disk DIRECTORY THREADS SECONDS BYTES     prints {"files": N, "seconds": S, "cpu": S}
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *directory;
static size_t size;
static char *bytes;
static double deadline;
static atomic_long files;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(int failed, const char *what)
{
    if (failed) {
        perror(what);
        exit(74);
    }
}

static void *hold(void *number)
{
    char draft[4096], held[4096], new[4096];
    snprintf(new, sizeof new, "%s/new", directory);
    int at = open(new, O_RDONLY | O_DIRECTORY);
    must(at < 0, new);
    for (long i = 0; now() < deadline; i++) {
        snprintf(draft, sizeof draft, "%s/tmp/%ld.%ld", directory, (long)number, i);
        snprintf(held, sizeof held, "%s/new/%ld.%ld", directory, (long)number, i);
        int file = open(draft, O_WRONLY | O_CREAT | O_EXCL, 0640);
        must(file < 0, draft);
        must(write(file, bytes, size) != (ssize_t)size, "write");
        must(fsync(file), "fsync");
        must(close(file), "close");
        must(link(draft, held), "link");
        must(fsync(at), "fsync of the directory");
        must(unlink(draft), "unlink");
        files++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 64;
    directory = argv[1];
    long count = atol(argv[2]);
    double begin = now();
    deadline = begin + atof(argv[3]);
    size = (size_t)atol(argv[4]);
    bytes = malloc(size);
    memset(bytes, 'x', size);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    for (long i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, hold, (void *)i), "thread");
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("{\"files\": %ld, \"seconds\": %.6f, \"cpu\": %.6f}\n", files, now() - begin,
           (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    return 0;
}
