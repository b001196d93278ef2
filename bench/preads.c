/*
 * The physical limit for a snapshot: the named files of every cgroup below a directory, opened once
 * and kept open, then read with one pread(2) each, the bytes thrown away.
 *
 *     preads DIRECTORY NAME...
 *
 * Makes one round for each byte of its input, and prints a line about it: files, bytes, microseconds.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int *fds;
static size_t used, room;
static char **names;
static int names_given;

static int wanted(const char *name)
{
	int each;

	for (each = 0; each < names_given; each++)
		if (strcmp(name, names[each]) == 0)
			return 1;
	return 0;
}

static void add(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		perror(name);
		exit(1);
	}
	if (used == room) {
		room = room ? room * 2 : 1024;
		fds = realloc(fds, room * sizeof(*fds));
		if (!fds)
			exit(1);
	}
	fds[used++] = fd;
}

static void walk(int dir)
{
	DIR *entries = fdopendir(dir);
	struct dirent *entry;

	while (entries && (entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_DIR) {
			int below = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0)
				walk(below);
		} else if (wanted(entry->d_name)) {
			add(dir, entry->d_name);
		}
	}
}

int main(int argc, char **argv)
{
	static char text[65536];
	struct rlimit files;
	char go;
	int top;

	if (argc < 3)
		return 2;
	names = argv + 2;
	names_given = argc - 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	top = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0) {
		perror(argv[1]);
		return 1;
	}
	walk(top);
	while (read(STDIN_FILENO, &go, 1) == 1) {
		struct timespec from, to;
		size_t each, bytes = 0;

		clock_gettime(CLOCK_MONOTONIC, &from);
		for (each = 0; each < used; each++) {
			ssize_t got = pread(fds[each], text, sizeof(text), 0);

			if (got > 0)
				bytes += (size_t)got;
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		printf("%zu %zu %ld\n", used, bytes,
		       (to.tv_sec - from.tv_sec) * 1000000L + (to.tv_nsec - from.tv_nsec) / 1000);
		fflush(stdout);
	}
	return 0;
}
