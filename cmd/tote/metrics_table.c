/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/metrics.h"

#include "lib/cleanup.h"

#define METRIC(name, type, help, each, value, offset)                                              \
	{                                                                                          \
		"tote_container_" name, type, help, each, value, offset, NULL, NULL                \
	}

#define COUNTER(name, field, help)                                                                 \
	METRIC(name, "counter", help, METRIC_CONTAINER, METRIC_OPT,                                \
	       offsetof(struct sample, stats.field))
#define SECONDS(name, field, help)                                                                 \
	METRIC(name, "counter", help, METRIC_CONTAINER, METRIC_SECONDS,                            \
	       offsetof(struct sample, stats.field))
#define GAUGE(name, field, help)                                                                   \
	METRIC(name, "gauge", help, METRIC_CONTAINER, METRIC_OPT,                                  \
	       offsetof(struct sample, stats.field))

/* One family, a label for each line. */
#define FIRST(name, labels, value, field, help)                                                    \
	{                                                                                          \
		"tote_container_" name, "counter", help, METRIC_CONTAINER, value,                  \
			offsetof(struct sample, stats.field), labels, NULL                         \
	}
#define FURTHER(labels, value, field)                                                              \
	{                                                                                          \
		NULL, NULL, NULL, METRIC_CONTAINER, value, offsetof(struct sample, stats.field),   \
			labels, NULL                                                               \
	}

#define STAT(name, type, key, help)                                                                \
	{                                                                                          \
		"tote_container_" name, type, help, METRIC_CONTAINER, METRIC_STAT, 0, NULL, key    \
	}

#define IO(name, field, help)                                                                      \
	METRIC("io_" name, "counter", help, METRIC_IO, METRIC_U64,                                 \
	       offsetof(struct cg_io_device, field))
#define NET(name, field, help)                                                                     \
	METRIC("network_" name, "counter", help, METRIC_NET, METRIC_U64,                           \
	       offsetof(struct sample_interface, field))
#define HUGETLB(name, type, field, help)                                                           \
	METRIC("hugetlb_" name, type, help, METRIC_HUGETLB, METRIC_OPT,                            \
	       offsetof(struct cg_hugetlb_stats, field))
#define RDMA(name, field, help)                                                                    \
	METRIC("rdma_" name, "gauge", help, METRIC_RDMA, METRIC_OPT,                               \
	       offsetof(struct cg_rdma_stats, field))
#define MISC(name, field, help)                                                                    \
	METRIC("misc_" name, "gauge", help, METRIC_MISC, METRIC_OPT,                               \
	       offsetof(struct cg_misc_stats, field))

/* The names are stable. */
/* clang-format off: one metric is two lines */
const struct metric metric_table[] = {
	SECONDS("cpu_seconds_total", cpu.usage, "CPU time used."),
	SECONDS("cpu_user_seconds_total", cpu.user, "CPU time used in user mode."),
	SECONDS("cpu_system_seconds_total", cpu.system, "CPU time used in the kernel."),
	COUNTER("cpu_periods_total", cpu.periods,
		"Periods of the CPU quota in which processes were ready to run."),
	COUNTER("cpu_throttled_periods_total", cpu.throttled_periods,
		"Periods in which the CPU quota was used up."),
	SECONDS("cpu_throttled_seconds_total", cpu.throttled,
		"Time for which the CPU quota held processes back, summed over processors."),
	COUNTER("cpu_bursts_total", cpu.bursts, "Periods in which saved CPU quota was used."),
	SECONDS("cpu_burst_seconds_total", cpu.burst,
		"CPU time used above the quota, from what was saved."),

	GAUGE("memory_usage_bytes", memory.current, "Memory in use, page cache included."),
	GAUGE("memory_peak_bytes", memory.peak, "The most memory that was in use."),
	GAUGE("memory_limit_bytes", memory.max, "Limit of memory; absent when there is none."),
	GAUGE("memory_reservation_bytes", memory.low,
	      "Memory that is spared while others hold more than is reserved for them."),
	STAT("memory_anon_bytes", "gauge", "anon",
	     "Memory of the processes themselves: heap, stack, anonymous mappings."),
	STAT("memory_file_bytes", "gauge", "file", "Page cache, tmpfs and shared memory."),
	STAT("memory_inactive_file_bytes", "gauge", "inactive_file",
	     "Page cache that is dropped first; usage without it is the working set."),
	STAT("memory_kernel_bytes", "gauge", "kernel",
	     "Memory of the kernel that serves the container."),
	STAT("memory_major_faults_total", "counter", "pgmajfault",
	     "Page faults that waited for a disk."),
	GAUGE("memory_swap_usage_bytes", memory.swap_current, "Swap in use."),
	GAUGE("memory_swap_limit_bytes", memory.swap_max,
	      "Limit of swap; absent when there is none."),
	FIRST("memory_events_total", "event=\"low\"", METRIC_OPT, memory.low_events,
	      "How often memory limits took effect, here or in a group below."),
	FURTHER("event=\"high\"", METRIC_OPT, memory.high_events),
	FURTHER("event=\"max\"", METRIC_OPT, memory.max_events),
	FURTHER("event=\"oom\"", METRIC_OPT, memory.oom_events),
	FURTHER("event=\"oom_kill\"", METRIC_OPT, memory.oom_kills),
	FURTHER("event=\"oom_group_kill\"", METRIC_OPT, memory.oom_group_kills),
	FIRST("memory_swap_events_total", "event=\"high\"", METRIC_OPT, memory.swap_high_events,
	      "How often swap limits took effect, or swap was full."),
	FURTHER("event=\"max\"", METRIC_OPT, memory.swap_max_events),
	FURTHER("event=\"fail\"", METRIC_OPT, memory.swap_fail_events),
	COUNTER("oom_kills_total", memory.oom_kills,
		"Processes that the kernel killed for want of memory."),

	GAUGE("pids", pids_current, "Processes and threads."),
	GAUGE("pids_limit", pids_max, "Limit of processes and threads; absent when there is none."),
	COUNTER("pids_failures_total", pids_failures,
		"Processes and threads that the limit kept from being made."),

	FIRST("pressure_seconds_total", "resource=\"cpu\",stall=\"waiting\"", METRIC_PSI,
	      cpu.psi.some,
	      "Time for which some (waiting) or all (stalled) processes lacked the resource."),
	FURTHER("resource=\"cpu\",stall=\"stalled\"", METRIC_PSI, cpu.psi.full),
	FURTHER("resource=\"memory\",stall=\"waiting\"", METRIC_PSI, memory.psi.some),
	FURTHER("resource=\"memory\",stall=\"stalled\"", METRIC_PSI, memory.psi.full),
	FURTHER("resource=\"io\",stall=\"waiting\"", METRIC_PSI, io_psi.some),
	FURTHER("resource=\"io\",stall=\"stalled\"", METRIC_PSI, io_psi.full),

	IO("read_bytes_total", rbytes, "Bytes read from the device."),
	IO("written_bytes_total", wbytes, "Bytes written to the device."),
	IO("discarded_bytes_total", dbytes, "Bytes discarded on the device."),
	IO("reads_total", rios, "Read requests to the device."),
	IO("writes_total", wios, "Write requests to the device."),
	IO("discards_total", dios, "Discard requests to the device."),

	NET("receive_bytes_total", rx_bytes, "Bytes received."),
	NET("receive_packets_total", rx_packets, "Packets received."),
	NET("receive_errors_total", rx_errors, "Packets received with an error."),
	NET("receive_dropped_total", rx_dropped, "Packets received and dropped."),
	NET("transmit_bytes_total", tx_bytes, "Bytes sent."),
	NET("transmit_packets_total", tx_packets, "Packets sent."),
	NET("transmit_errors_total", tx_errors, "Packets that were not sent for an error."),
	NET("transmit_dropped_total", tx_dropped, "Packets that were dropped instead of sent."),

	HUGETLB("usage_bytes", "gauge", current, "Huge pages in use."),
	HUGETLB("limit_bytes", "gauge", max, "Limit of huge pages; absent when there is none."),
	HUGETLB("failures_total", "counter", failures,
		"Huge pages that the limit kept from being used."),

	RDMA("handles", handles, "HCA handles in use."),
	RDMA("objects", objects, "HCA objects in use."),
	RDMA("handles_limit", handles_max, "Limit of HCA handles; absent when there is none."),
	RDMA("objects_limit", objects_max, "Limit of HCA objects; absent when there is none."),

	MISC("usage", current, "What is in use of a countable resource of the host."),
	MISC("limit", max, "Limit of a countable resource; absent when there is none."),
};
/* clang-format on */
const size_t metric_table_count = ARRAY_SIZE(metric_table);
