/* On Android, Seq.setContext keeps the application's Context for Go code that
 * wants it. PeerLink does not, and a desktop JVM has none. */
#include <jni.h>

JNIEXPORT void JNICALL Java_go_Seq_setContext(JNIEnv *env, jclass clazz, jobject ctx) {
	(void)env;
	(void)clazz;
	(void)ctx;
}
