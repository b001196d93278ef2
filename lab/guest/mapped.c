/* A disk over a disk: a device-mapper target `linear`, which passes every request on.
 *
 *   mapped NAME DEVICE
 *
 * For swap on a device that is memory: the kernel would swap to it as to zram, past the swap cache and without reading
 * ahead, since it says that it is done at once (BLK_FEAT_SYNCHRONOUS), which what lies over it does not. The devices are
 * called /dev/dm-0, /dev/dm-1 and so on in the order in which they are made.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char words[256];
} call;

static int ask(int control, unsigned long number, const char *name) {
	struct dm_ioctl *head = &call.head;
	head->version[0] = DM_VERSION_MAJOR;
	head->data_size = sizeof call;
	head->data_start = sizeof *head;
	strncpy(head->name, name, sizeof head->name - 1);
	return ioctl(control, number, &call);
}

int main(int count, char **words) {
	if (count != 3)
		return 2;
	int control = open("/dev/mapper/control", O_RDWR), device = open(words[2], O_RDONLY);
	uint64_t bytes;
	if (control < 0 || device < 0 || ioctl(device, BLKGETSIZE64, &bytes)) {
		perror(control < 0 ? "/dev/mapper/control" : words[2]);
		return 1;
	}
	if (ask(control, DM_DEV_CREATE, words[1])) {
		perror("DM_DEV_CREATE");
		return 1;
	}
	memset(&call, 0, sizeof call);
	call.head.target_count = 1;
	call.target.length = bytes / 512;
	strcpy(call.target.target_type, "linear");
	snprintf(call.words, sizeof call.words, "%s 0", words[2]);
	if (ask(control, DM_TABLE_LOAD, words[1])) {
		perror("DM_TABLE_LOAD");
		return 1;
	}
	memset(&call, 0, sizeof call); /* no flag: go on, with the table that was loaded */
	if (ask(control, DM_DEV_SUSPEND, words[1])) {
		perror("DM_DEV_SUSPEND");
		return 1;
	}
	return 0;
}
