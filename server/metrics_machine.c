/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_machine.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "server/metrics_text.h"

/* --- the process --- */

static double resident_bytes(void)
{
	unsigned long long pages = 0;
	char *text, *at;
	size_t len;

	if (file_read_all("/proc/self/statm", 4096, &text, &len, NULL))
		return 0;
	at = strchr(text, ' ');
	if (at)
		pages = strtoull(at, NULL, 10);
	mem_free(text);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Entries of a folder of /proc, but for "." and "..". */
static double count_entries(const char *path)
{

	DIR *dir = opendir(path);
	double n = -2;

	if (!dir)
		return 0;
	while (readdir(dir)) /* NOLINT: the stream is this call's own */
		n++;
	(void)closedir(dir);
	return n;
}

static double n_threads(void)
{
	return count_entries("/proc/self/task");
}

static double open_fds(void)
{
	return count_entries("/proc/self/fd") - 1; /* the folder's own */
}

static void write_process(int64_t start_ms, struct buf *buf)
{
	struct rusage usage = { 0 };
	struct rlimit fds = { 0 };
	double cpu;

	(void)getrusage(RUSAGE_SELF, &usage);
	(void)getrlimit(RLIMIT_NOFILE, &fds);
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
	metrics_text_family(buf, "process_cpu_seconds_total", "counter",
			    "Time on a processor, user and system.");
	metrics_text_sample(buf, "process_cpu_seconds_total", "", cpu);
	metrics_text_family(buf, "process_resident_memory_bytes", "gauge",
			    "Memory that is resident.");
	metrics_text_sample(buf, "process_resident_memory_bytes", "",
			    resident_bytes());
	metrics_text_family(buf, "process_threads", "gauge", "Threads.");
	metrics_text_sample(buf, "process_threads", "", n_threads());
	metrics_text_family(buf, "process_open_fds", "gauge",
			    "Open file descriptors.");
	metrics_text_sample(buf, "process_open_fds", "", open_fds());
	metrics_text_family(buf, "process_max_fds", "gauge",
			    "Largest number of open file descriptors.");
	metrics_text_sample(buf, "process_max_fds", "", (double)fds.rlim_cur);
	metrics_text_family(buf, "process_start_time_seconds", "gauge",
			    "When the process started, since 1970.");
	metrics_text_sample(buf, "process_start_time_seconds", "",
			    (double)start_ms / 1000);
}

/* --- the machine --- */

enum { PROC_MAX = 1 << 20, N_TICKS = 8, IDLE = 3, IOWAIT = 4 };

/* The number behind a word at the start of a line of /proc/meminfo, in bytes;
 * 0 when there is none. */
static double meminfo(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? (double)strtoull(at + strlen(word), NULL, 10) * 1024 : 0;
}

static void write_memory(struct buf *buf)
{
	double total, free_bytes;
	char *text;
	size_t len;

	if (file_read_all("/proc/meminfo", PROC_MAX, &text, &len, NULL))
		return;
	total = meminfo(text, "MemTotal:");
	free_bytes = meminfo(text, "MemAvailable:");
	mem_free(text);
	metrics_text_family(buf, "nv_cpu_memory_total_bytes", "gauge",
			    "Memory of the machine.");
	metrics_text_sample(buf, "nv_cpu_memory_total_bytes", "", total);
	metrics_text_family(buf, "nv_cpu_memory_used_bytes", "gauge",
			    "Memory of the machine that is in use.");
	metrics_text_sample(buf, "nv_cpu_memory_used_bytes", "",
			    total - free_bytes);
}

/* Ticks of all processors, by the first line of /proc/stat (proc(5)). */
static bool read_ticks(uint64_t *ret_busy, uint64_t *ret_total)
{
	uint64_t tick[N_TICKS] = { 0 }, total = 0;
	char *text, *at, *end;
	unsigned n = 0;
	size_t len;

	if (file_read_all("/proc/stat", PROC_MAX, &text, &len, NULL))
		return false;
	at = strncmp(text, "cpu ", 4) == 0 ? text + 4 : NULL;
	for (; at && n < N_TICKS; n++, at = end) {
		tick[n] = strtoull(at, &end, 10);
		total += tick[n];
	}
	mem_free(text);
	*ret_total = total;
	*ret_busy = total - tick[IDLE] - tick[IOWAIT];
	return n == N_TICKS;
}

static void write_cpu(struct metrics_machine *machine, struct buf *buf)
{
	uint64_t busy, total, busy_before, total_before;
	double share = 0;

	if (!read_ticks(&busy, &total))
		return;
	busy_before = atomic_exchange(&machine->busy, busy);
	total_before = atomic_exchange(&machine->total, total);
	if (total > total_before && busy >= busy_before)
		share = (double)(busy - busy_before) /
			(double)(total - total_before);
	metrics_text_family(buf, "nv_cpu_utilization", "gauge",
			    "Busy share of the machine's processors since the "
			    "last scrape.");
	metrics_text_sample(buf, "nv_cpu_utilization", "", share);
}

void metrics_machine_write(struct metrics_machine *machine, struct buf *buf)
{
	write_process(machine->start_ms, buf);
	write_memory(buf);
	write_cpu(machine, buf);
}
