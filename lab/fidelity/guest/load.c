/* The programs that the simulator is held against.
 *
 *   load leak RATE_MIB_S LIMIT_MIB SEED          takes memory at a rate up to a limit and keeps it
 *   load saw RATE_MIB_S TOP_MIB BOTTOM_MIB SEED  a heap with a collector: at TOP it looks at all that lives, below
 *                                                BOTTOM, and gives the rest back
 *   load read FILE RATE_MIB_S SEED               reads a file from end to end for ever; 0: as fast as it goes
 *   load write FILE MIB RATE_MIB_S SEED          writes a file of MIB again and again
 *
 * Rates are kept by the clock: a step that came late is made up for by the next ones, up to 20 ms, so that a rate
 * is what was asked for. What reclaim took longer than that is lost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define STEP (64 * 1024UL)
#define MADE_UP_NS 20000000L

static uint64_t state;

static uint64_t random64(void) { /* xorshift64*: nothing that zswap or same-page merging makes small */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ULL;
}

static int64_t now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int64_t pace(int64_t due, double rate, size_t size) { /* the next step's time; sleeps until then */
	int64_t now = now_ns();
	if (rate == 0)
		return now;
	due += (int64_t)(size / (rate * MIB) * 1e9);
	if (now - due > MADE_UP_NS)
		due = now - MADE_UP_NS;
	if (due > now) {
		struct timespec t = {due / 1000000000L, due % 1000000000L};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
			;
	}
	return due;
}

static void fill(char *at, size_t size) {
	for (size_t i = 0; i < size; i += 8)
		*(uint64_t *)(at + i) = random64();
}

static char *map(size_t size) {
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		exit(1);
	madvise(at, size, MADV_NOHUGEPAGE); /* the rate is of pages, on every kernel */
	return at;
}

static void take(char *at, size_t from, size_t to, double rate) {
	int64_t due = now_ns();
	for (size_t done = from; done < to; done += STEP) {
		fill(at + done, STEP);
		due = pace(due, rate, STEP);
	}
}

int main(int count, char **words) {
	static char block[2 * STEP];
	if (count < 4)
		return 2;
	state = 88172645463325252ULL + strtoull(words[count - 1], NULL, 10) * 2654435761ULL;
#define RATE(n) strtod(words[n], NULL)
#define SIZE(n) ((size_t)strtoul(words[n], NULL, 10) * MIB)
	if (!strcmp(words[1], "leak") && count == 5) {
		take(map(SIZE(3)), 0, SIZE(3), RATE(2));
		for (;;)
			pause();
	}
	if (!strcmp(words[1], "saw") && count == 6) {
		char *at = map(SIZE(3));
		take(at, 0, SIZE(4), RATE(2));
		for (;;) {
			take(at, SIZE(4), SIZE(3), RATE(2));
			for (size_t i = 0; i < SIZE(4); i += 4096)
				*(volatile uint64_t *)(at + i);
			madvise(at + SIZE(4), SIZE(3) - SIZE(4), MADV_DONTNEED);
		}
	}
	int fd = count > 2 ? open(words[2], O_RDWR | O_CREAT, 0600) : -1;
	if (fd < 0)
		return 1;
	int64_t due = now_ns();
	if (!strcmp(words[1], "read") && count == 5)
		for (;;) {
			if (read(fd, block, sizeof block) <= 0)
				lseek(fd, 0, SEEK_SET);
			else
				due = pace(due, RATE(3), sizeof block);
		}
	if (!strcmp(words[1], "write") && count == 6) {
		for (size_t done = 0;; done = (done + STEP) % SIZE(3)) {
			fill(block, STEP);
			if (pwrite(fd, block, STEP, done) != (ssize_t)STEP)
				return 1;
			due = pace(due, RATE(4), STEP);
		}
	}
	return 2;
}
