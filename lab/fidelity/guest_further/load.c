/* The programs of ../guest/load.c, and some that one cgroup and one limit are too little for.
 *
 *   load tmpfs FILE MIB RATE_MIB_S SEED          writes a file of MIB once, and keeps it open
 *   load mlock RATE_MIB_S LIMIT_MIB SEED         as leak; what it takes is locked
 *   load forks CHILDREN PER_S EACH_MIB SEED      starts children that take EACH_MIB and stay
 */
#define main plain
#include "load_plain.c"
#undef main
#include <sys/wait.h>

static void wait_until(int64_t due) {
	struct timespec t = {due / 1000000000L, due % 1000000000L};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

static void fill_file(const char *name, size_t size, double rate) {
	static char block[STEP];
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	int64_t due = now_ns();
	for (size_t done = 0; done < size; done += STEP) {
		fill(block, STEP);
		if (pwrite(fd, block, STEP, done) != (ssize_t)STEP)
			exit(1);
		due = pace(due, rate, STEP);
	}
}

static void breed(long children, double per_s, size_t each) {
	int64_t begin = now_ns();
	for (long done = 0; done < children;) {
		pid_t pid = fork();
		if (pid == 0) {
			take(map(each), 0, each, 0);
			for (;;)
				pause();
		}
		done += pid > 0; /* where no memory is left for it, a millisecond later again */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		wait_until(pid > 0 ? begin + (int64_t)(done / per_s * 1e9) : now_ns() + 1000000);
	}
	for (;;) {
		while (waitpid(-1, NULL, 0) > 0)
			;
		pause();
	}
}

int main(int count, char **words) {
	if (count < 5)
		return plain(count, words);
	state = 88172645463325252ULL + strtoull(words[count - 1], NULL, 10) * 2654435761ULL;
	if (!strcmp(words[1], "tmpfs") && count == 6)
		fill_file(words[2], SIZE(3), RATE(4));
	else if (!strcmp(words[1], "mlock") && count == 5) {
		char *at = map(SIZE(3));
		if (mlock2(at, SIZE(3), MLOCK_ONFAULT)) /* each page from when it is there */
			return 1;
		take(at, 0, SIZE(3), RATE(2));
	} else if (!strcmp(words[1], "forks") && count == 6)
		breed(strtol(words[2], NULL, 10), RATE(3), SIZE(4));
	else
		return plain(count, words);
	for (;;)
		pause();
}
