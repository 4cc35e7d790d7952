# Sourced by run.sh. need_X makes sure that X is there: as root on Debian it
# installs the packages, elsewhere it says what to install.

# need COMMAND PACKAGE... HINT
need() {
	local command=$1 hint=${!#}
	local packages=("${@:2:$#-2}")
	command -v "$command" >/dev/null && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		install_debian "${packages[@]}" && command -v "$command" >/dev/null && return
	fi
	echo "missing: $command. $hint" >&2
	return 1
}

install_debian() {
	echo "installing $* ..."
	if [ -z "${apt_updated:-}" ]; then
		apt-get update -qq || return
		apt_updated=1
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_go() { need "$GO" golang-go "Install Go 1.26 or later, see go.dev/dl"; }
need_cc() { need cc gcc libc6-dev "Install a C compiler: gcc or clang"; }
need_netns() { need ip iproute2 "Install iproute2; network namespaces are Linux only"; }

need_python() {
	need "$PYTHON" python3 "Install Python 3.10 or later" || return
	"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "missing: Python 3.10 or later" >&2; return 1; }
	"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && install_debian python3-venv && return
	echo "missing: Python's venv module. Install python3-venv" >&2
	return 1
}

need_jdk() {
	need javac openjdk-17-jdk-headless "Install a JDK, 17 or later" &&
		need mvn maven "Install Maven 3.8 or later"
}
