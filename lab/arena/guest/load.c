/* The arena's programs: who takes memory, who needs it, and how long the one who needs it waits.
 *
 *   load leak RATE_MIB_S LIMIT_MIB SEED          takes memory at a rate up to a limit and keeps it
 *   load saw RATE_MIB_S TOP_MIB BOTTOM_MIB SEED  the same, but gives back what is above BOTTOM when it is at TOP
 *   load spike TOP_MIB HOLD_MS SEED              takes TOP at once, holds it, gives it back and ends
 *   load db SIZE_MIB FILE LOG SEED               a working set in memory and a file, asked 200 times a second
 *   load read FILE RATE_MIB_S SEED               reads a file from end to end for ever
 *   load write FILE MIB RATE_MIB_S SEED          a backup: writes a file of MIB again and again
 *   load storm CHILDREN EACH_MIB PER_S SEED      forks children that each take a little and stay
 *   load tmpfs FOLDER RATE_MIB_S LIMIT_MIB SEED  fills a tmpfs
 *
 * Every rate is kept by the monotonic clock, so that one who was stalled does not take more later at once.
 * db asks on a fixed schedule (open loop): a request's latency counts from when it was due, not from when the program
 * came to it, so that a stall of a second shows as two hundred late requests. Its log is a shared mapping of a file on
 * a tmpfs, which is there after a SIGKILL: pairs of 32 bits, milliseconds since the start and latency in microseconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL
#define STEP (64 * 1024UL)          /* taken at a time: 16 pages */
#define PERIOD_NS 5000000L          /* 200 requests a second */
#define PAGES_PER_REQUEST 32
#define BLOCKS_PER_REQUEST 2
#define LOG_PAIRS (200 * 600)       /* ten minutes */

static uint64_t state;

static uint64_t random64(void) { /* xorshift64*: the same for a seed everywhere */
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

static void sleep_until(int64_t when) {
	struct timespec t = {when / 1000000000L, when % 1000000000L};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

static void die(const char *what) {
	perror(what);
	exit(1);
}

static char *map(size_t size) {
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		die("mmap");
	madvise(at, size, MADV_NOHUGEPAGE); /* the rate is of pages, on every kernel */
	return at;
}

static void fill(char *at, size_t size) { /* each cache line, so that no page is as another is */
	for (size_t i = 0; i < size; i += 64)
		*(uint64_t *)(at + i) = random64();
}

/* Take memory from `from` to `to` at a rate; the next step is due by the clock, and lost time is lost. */
static void take(char *at, size_t from, size_t to, double rate) {
	int64_t step_ns = (int64_t)(STEP / (rate * MIB) * 1e9), due = now_ns();
	for (size_t done = from; done < to; done += STEP) {
		fill(at + done, STEP);
		due += step_ns;
		int64_t now = now_ns();
		if (now > due)
			due = now;
		else
			sleep_until(due);
	}
}

static void leak(double rate, size_t limit) {
	take(map(limit), 0, limit, rate);
	for (;;)
		pause();
}

static void saw(double rate, size_t top, size_t bottom) {
	char *at = map(top);
	take(at, 0, bottom, rate);
	for (;;) {
		take(at, bottom, top, rate);
		madvise(at + bottom, top - bottom, MADV_DONTNEED);
	}
}

static void spike(size_t top, long hold_ms) {
	char *at = map(top);
	fill(at, top);
	sleep_until(now_ns() + hold_ms * 1000000L);
}

static void reader(const char *path, double rate) {
	static char block[STEP];
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		die(path);
	int64_t step_ns = (int64_t)(STEP / (rate * MIB) * 1e9), due = now_ns();
	for (;;) {
		if (read(fd, block, sizeof block) <= 0)
			lseek(fd, 0, SEEK_SET);
		due += step_ns;
		int64_t now = now_ns();
		if (now > due)
			due = now;
		else
			sleep_until(due);
	}
}

static void writer(const char *path, size_t size, double rate) {
	static char block[STEP];
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		die(path);
	int64_t step_ns = (int64_t)(STEP / (rate * MIB) * 1e9), due = now_ns();
	for (size_t done = 0;; done = (done + STEP) % size) {
		fill(block, STEP);
		if (pwrite(fd, block, STEP, done) != (ssize_t)STEP)
			die("write");
		due += step_ns;
		int64_t now = now_ns();
		if (now > due)
			due = now;
		else
			sleep_until(due);
	}
}

static void storm(long children, size_t each, double per_s) {
	signal(SIGCHLD, SIG_IGN);
	int64_t due = now_ns();
	for (long n = 0; n < children; n++) {
		if (fork() == 0) {
			state += n + 1;
			fill(map(each), each);
			for (;;)
				pause();
		}
		due += (int64_t)(1e9 / per_s);
		sleep_until(due);
	}
	for (;;)
		pause();
}

static void tmpfs(const char *folder, double rate, size_t limit) {
	static char block[STEP];
	char path[256];
	snprintf(path, sizeof path, "%s/%d", folder, getpid());
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		die(path);
	int64_t step_ns = (int64_t)(STEP / (rate * MIB) * 1e9), due = now_ns();
	for (size_t done = 0; done < limit; done += STEP) {
		fill(block, STEP);
		if (pwrite(fd, block, STEP, done) != (ssize_t)STEP)
			die("write");
		due += step_ns;
		sleep_until(due);
	}
	for (;;)
		pause();
}

static void db(size_t size, const char *file, const char *log) {
	static char block[PAGE];
	char *at = map(size);
	fill(at, size);
	int fd = open(file, O_RDONLY), out = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat info;
	if (fd < 0 || out < 0 || fstat(fd, &info) || ftruncate(out, LOG_PAIRS * 8))
		die("db");
	uint32_t *pairs = mmap(NULL, LOG_PAIRS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	if (pairs == MAP_FAILED || mlock(pairs, LOG_PAIRS * 8))
		die("log");
	memset(pairs, 0, LOG_PAIRS * 8);
	for (off_t done = 0; done < info.st_size; done += PAGE)
		if (pread(fd, block, PAGE, done) < 0)
			die(file);
	FILE *begin = fopen("/run/arena.begin", "w"); /* our start by the clock that the watcher has too */
	if (!begin)
		die("begin");
	int64_t start = now_ns(), due = start;
	fprintf(begin, "%.6f", start / 1e9);
	fclose(begin);
	for (long n = 0; n < LOG_PAIRS; n++) {
		due += PERIOD_NS;
		if (now_ns() < due)
			sleep_until(due);
		for (int i = 0; i < PAGES_PER_REQUEST; i++)
			at[random64() % (size / PAGE) * PAGE]++;
		for (int i = 0; i < BLOCKS_PER_REQUEST; i++)
			if (pread(fd, block, PAGE, random64() % (info.st_size / PAGE) * PAGE) < 0)
				die(file);
		int64_t late = (now_ns() - due) / 1000;
		pairs[2 * n] = (uint32_t)((due - start) / 1000000);
		pairs[2 * n + 1] = (uint32_t)(late < 1 ? 1 : late);
	}
}

int main(int count, char **words) {
	if (count < 3)
		return 2;
	const char *what = words[1];
	state = 88172645463325252ULL + strtoull(words[count - 1], NULL, 10) * 2654435761ULL;
#define NUMBER(n) strtod(words[n], NULL)
#define SIZE(n) ((size_t)NUMBER(n) * MIB)
	if (!strcmp(what, "leak") && count == 5)
		leak(NUMBER(2), SIZE(3));
	else if (!strcmp(what, "saw") && count == 6)
		saw(NUMBER(2), SIZE(3), SIZE(4));
	else if (!strcmp(what, "spike") && count == 5)
		spike(SIZE(2), (long)NUMBER(3));
	else if (!strcmp(what, "db") && count == 6)
		db(SIZE(2), words[3], words[4]);
	else if (!strcmp(what, "read") && count == 5)
		reader(words[2], NUMBER(3));
	else if (!strcmp(what, "write") && count == 6)
		writer(words[2], SIZE(3), NUMBER(4));
	else if (!strcmp(what, "storm") && count == 6)
		storm((long)NUMBER(2), SIZE(3), NUMBER(4));
	else if (!strcmp(what, "tmpfs") && count == 6)
		tmpfs(words[2], NUMBER(3), SIZE(4));
	else
		return 2;
	return 0;
}
