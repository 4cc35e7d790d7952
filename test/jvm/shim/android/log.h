/* <android/log.h> for a desktop: what gobind's C code uses of it, to stderr. */
#ifndef PEERLINK_SHIM_ANDROID_LOG_H
#define PEERLINK_SHIM_ANDROID_LOG_H

#include <stdarg.h>
#include <stdio.h>

enum {
	ANDROID_LOG_VERBOSE = 2,
	ANDROID_LOG_DEBUG,
	ANDROID_LOG_INFO,
	ANDROID_LOG_WARN,
	ANDROID_LOG_ERROR,
	ANDROID_LOG_FATAL
};

__attribute__((unused, format(printf, 3, 4)))
static int __android_log_print(int priority, const char *tag, const char *format, ...) {
	va_list args;
	int n = fprintf(stderr, "[%d %s] ", priority, tag);
	va_start(args, format);
	n += vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return n;
}

#endif
