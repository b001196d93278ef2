/* What this machine can do, for the simulator's Machine: one number per line, with its name.
 *
 *   speeds fault MIB          microseconds that a new page costs, with what load.c writes into it
 *   speeds read FILE          bytes per second of a cold file, read as load.c reads
 *   speeds cached FILE        the same, warm: what read() costs without the disk
 *   speeds write FILE MIB     bytes per second to the disk, with fdatasync
 *   speeds random FILE COUNT  microseconds of a cold read of one page
 *   speeds direct DEVICE read|write SIZE COUNT
 *                             microseconds of one request of SIZE past the cache, from 4 MiB on
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)

static uint64_t state = 88172645463325252ULL;

static uint64_t random64(void) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ULL;
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void fill(char *at, size_t size) {
	for (size_t i = 0; i < size; i += 8)
		*(uint64_t *)(at + i) = random64();
}

static int direct(const char *path, const char *what, size_t size, long times) {
	int fd = open(path, O_RDWR | O_DIRECT);
	void *at;
	if (fd < 0 || posix_memalign(&at, 4096, size))
		return 1;
	memset(at, 1, size);
	double begin = now();
	for (long i = 0; i < times; i++) {
		off_t where = 4 * MIB + i * size;
		if ((*what == 'r' ? pread(fd, at, size, where) : pwrite(fd, at, size, where)) < 0)
			return 1;
	}
	printf("%f\n", (now() - begin) * 1e6 / times);
	return 0;
}

int main(int count, char **words) {
	static char block[128 * 1024];
	if (count < 3)
		return 2;
	if (!strcmp(words[1], "fault")) {
		size_t size = strtoul(words[2], NULL, 10) * MIB;
		char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise(at, size, MADV_NOHUGEPAGE);
		double begin = now();
		fill(at, size);
		printf("%f\n", (now() - begin) * 1e6 / (size / 4096));
		return 0;
	}
	if (!strcmp(words[1], "direct"))
		return direct(words[2], words[3], strtoul(words[4], NULL, 10), strtol(words[5], NULL, 10));
	int fd = open(words[2], O_RDWR | O_CREAT, 0600);
	struct stat info;
	if (fd < 0 || fstat(fd, &info))
		return 1;
	if (!strcmp(words[1], "write")) {
		size_t size = strtoul(words[3], NULL, 10) * MIB;
		double begin = now();
		for (size_t done = 0; done < size; done += sizeof block)
			if (pwrite(fd, block, sizeof block, done) < 0)
				return 1;
		fdatasync(fd);
		printf("%f\n", size / (now() - begin));
		return 0;
	}
	if (!strcmp(words[1], "cached"))
		while (read(fd, block, sizeof block) > 0)
			;
	else
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	lseek(fd, 0, SEEK_SET);
	double begin = now();
	if (!strcmp(words[1], "random")) {
		long times = strtol(words[3], NULL, 10);
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
		for (long i = 0; i < times; i++)
			if (pread(fd, block, 4096, random64() % (info.st_size / 4096) * 4096) < 0)
				return 1;
		printf("%f\n", (now() - begin) * 1e6 / times);
		return 0;
	}
	while (read(fd, block, sizeof block) > 0)
		;
	printf("%f\n", info.st_size / (now() - begin));
	return 0;
}
