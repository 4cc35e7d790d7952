/* measure.h - what the clients in C share: times of calls, and the result as the others print it. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAYLOAD 64
#define WARM_UP_NS 200000000ull
#define TIMEOUT_MS 2000

static inline uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What one caller saw. */
struct record {
	uint32_t *took; /* ns */
	size_t calls, room;
	unsigned long errors;
};

static inline void record_add(struct record *r, uint64_t ns)
{
	if (r->calls == r->room) {
		r->room = r->room ? 2 * r->room : 1 << 16;
		r->took = realloc(r->took, r->room * sizeof *r->took);
		if (r->took == NULL)
			abort();
	}
	r->took[r->calls++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline int record_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* In µs; the record is sorted. */
static inline double record_quantile(const struct record *r, double q)
{
	size_t at = (size_t)((double)r->calls * q);
	if (r->calls == 0)
		return 0;
	return r->took[at < r->calls ? at : r->calls - 1] / 1e3;
}

/* Adds the others to the first of n records, and prints it. */
static inline void records_print(struct record *r, int n, double seconds)
{
	for (int i = 1; i < n; i++) {
		for (size_t k = 0; k < r[i].calls; k++)
			record_add(r, r[i].took[k]);
		r->errors += r[i].errors;
	}
	qsort(r->took, r->calls, sizeof *r->took, record_order);
	printf("{\"p50_us\":%.3f,\"p99_us\":%.3f,\"calls\":%zu,\"errors\":%lu,\"seconds\":%.6f}\n",
		record_quantile(r, 0.50), record_quantile(r, 0.99), r->calls, r->errors, seconds);
	fflush(stdout);
}

#endif
