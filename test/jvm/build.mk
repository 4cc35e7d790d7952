# The mobile binding on the JVM of this machine. Included by the Makefile in the
# root; paths are relative to that.
GO  ?= go
MVN ?= mvn

JVM_OUT := _build/jvm

# gobind's output as Java sources and a library; fails if gobind skipped anything.
.PHONY: jvm-build
jvm-build:
	GO=$(GO) test/jvm/build-host-jni.sh $(JVM_OUT)

## jvm-test: the mobile binding from Java and Kotlin, on the loopback interface (JDK 17, Maven)
.PHONY: jvm-test
jvm-test: jvm-build
	$(MVN) -B -ntp -f test/jvm/pom.xml test

# The Kotlin examples, compiled, for test/readme.
.PHONY: jvm-examples
jvm-examples: jvm-build
	$(MVN) -B -q -ntp -f test/jvm/pom.xml process-classes

## android-check: compile the Android sample against Android's classes (downloads 137 MB)
.PHONY: android-check
android-check: jvm-build
	$(MVN) -B -q -ntp -f test/jvm/android/pom.xml compile
	@echo "android-check: the sample compiles"
