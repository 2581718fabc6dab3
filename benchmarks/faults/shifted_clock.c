/* A wall clock that is wrong by a number of seconds (CLOCK_SHIFT_S), for a process and all it starts: LD_PRELOAD.

   Debian's libfaketime does the same and breaks `time.sleep`, which sleeps until a moment of CLOCK_MONOTONIC: it takes
   the wall clock's shift from that moment too (EINVAL). Here only the wall clock is shifted: what is read of it, and the
   moments of it until which somebody waits. A moment of a clock that counts from the start of the machine is smaller
   than any of the wall clock's, which tells the two apart where a call does not say. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static const time_t YEAR_2001 = 1000000000;

static time_t shift(void) {
    static time_t seconds;
    static int known;
    if (!known) {
        const char *said = getenv("CLOCK_SHIFT_S");
        seconds = said ? atoll(said) : 0;
        known = 1;
    }
    return seconds;
}

static int of_the_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

/* The true moment that is meant by one of the shifted clock's. */
static const struct timespec *meant(const struct timespec *until, struct timespec *room) {
    if (!until || until->tv_sec < YEAR_2001) return until;
    *room = *until;
    room->tv_sec -= shift();
    return room;
}

#define THE_REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t clock, struct timespec *now) {
    THE_REAL(clock_gettime);
    int status = real(clock, now);
    if (!status && of_the_wall(clock)) now->tv_sec += shift();
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    THE_REAL(gettimeofday);
    int status = real(now, zone);
    if (!status) now->tv_sec += shift();
    return status;
}

time_t time(time_t *also) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (also) *also = now.tv_sec;
    return now.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    THE_REAL(clock_nanosleep);
    struct timespec room;
    return real(clock, flags, flags & TIMER_ABSTIME ? meant(until, &room) : until, left);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    THE_REAL(pthread_cond_timedwait);
    struct timespec room;
    return real(cond, mutex, meant(until, &room));
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                           const struct timespec *restrict until) {
    THE_REAL(pthread_cond_clockwait);
    struct timespec room;
    return real(cond, mutex, clock, meant(until, &room));
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    THE_REAL(pthread_mutex_timedlock);
    struct timespec room;
    return real(mutex, meant(until, &room));
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict until) {
    THE_REAL(sem_timedwait);
    struct timespec room;
    return real(sem, meant(until, &room));
}

int sem_clockwait(sem_t *restrict sem, clockid_t clock, const struct timespec *restrict until) {
    THE_REAL(sem_clockwait);
    struct timespec room;
    return real(sem, clock, meant(until, &room));
}

/* Abseil, under gRPC and so under Ray, waits on futexes by itself. */
long syscall(long number, ...) {
    THE_REAL(syscall);
    long word[6];
    va_list words;
    va_start(words, number);
    for (int i = 0; i < 6; i++) word[i] = va_arg(words, long);
    va_end(words);
    struct timespec room;
    if (number == SYS_futex && (word[1] & FUTEX_CLOCK_REALTIME))
        word[3] = (long)meant((const struct timespec *)word[3], &room);
    return real(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}
