/* test.h - what the C tests have in common: cases, checks, the closing line. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef __SANITIZE_THREAD__
#define SLOW 1 /* fewer rounds under the slower sanitizers */
#else
#define SLOW 0
#endif

static int passed, failed, bad;

/* Notes a failure; the case goes on. */
#define CHECK(c) ((c) ? (void)0 : (bad = 1, (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c)))
/* Notes a failure and leaves the function. */
#define REQUIRE(c) do { if (!(c)) { CHECK(!#c); return; } } while (0)
#define RUN(f) run(#f, f)

static void run(const char *name, void (*f)(void))
{
	bad = 0;
	f();
	if (bad)
		failed++;
	else
		passed++;
	printf("%s %s\n", bad ? "FAIL" : "ok  ", name);
	fflush(stdout);
}

/* Prints the closing line; what main returns. */
static int finish(void)
{
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}

static inline double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A small generator of numbers (xorshift): every run is the same. */
static inline unsigned long long roll(unsigned long long *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

#endif
