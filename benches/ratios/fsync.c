// Stands in for fsync: counts the calls, and takes a fixed time for each, so that the noise of the disk is out of the
// figures. Loaded with LD_PRELOAD. RATIOS_SYNC names a file of two 64-bit numbers, shared by all processes of a run:
// how many syncs there were, and how many nanoseconds one takes (the bench writes that one).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct shared {
    _Atomic uint64_t count;
    _Atomic uint64_t nanoseconds;
};

static struct shared *shared;

__attribute__((constructor)) static void start(void) {
    // Sleeps end within a microsecond of their time instead of 50; threads inherit it.
    prctl(PR_SET_TIMERSLACK, 1UL);
    const char *name = getenv("RATIOS_SYNC");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) shared = map;
}

static int wait_instead(void) {
    if (!shared) return 0;
    atomic_fetch_add(&shared->count, 1);
    uint64_t wait = atomic_load(&shared->nanoseconds);
    if (wait == 0) return 0;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    wait += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(wait / 1000000000u);
    until.tv_nsec = (long)(wait % 1000000000u);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
    return 0;
}

int fsync(int file) {
    (void)file;
    return wait_instead();
}

int fdatasync(int file) {
    (void)file;
    return wait_instead();
}
