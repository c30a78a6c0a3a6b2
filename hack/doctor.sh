#!/bin/sh
# doctor.sh looks for everything a build and the tests need and names the fix
# for each thing that is missing. It is plain sh because Go itself may be the
# thing that is missing. Exit 0: all there; 1: something is missing.
set -u

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
need_memory_mib=3072
need_disk_mib=6144
# What the first build leaves in the caches is there already afterwards.
[ -x "$root/bin/muster-controlplane" ] && need_disk_mib=1024
missing=0

good() { [ "${QUIET:-}" = 1 ] || printf '  ok       %s\n' "$1"; }
bad() {
	missing=1
	printf '  missing  %s\n           fix: %s\n' "$1" "$2" >&2
}

# version_at_least HAVE WANT compares dotted numbers: 1.26.3 >= 1.26.
version_at_least() {
	awk -v have="$1" -v want="$2" 'BEGIN {
		split(have, h, "."); n = split(want, w, ".")
		for (i = 1; i <= n; i++) { if (h[i]+0 > w[i]+0) exit 0; if (h[i]+0 < w[i]+0) exit 1 }
		exit 0
	}'
}

check_go() {
	want=$(awk '$1 == "go" { print $2; exit }' "$root/go.mod")
	if ! command -v go >/dev/null 2>&1; then
		bad "Go $want or newer" "install it from https://go.dev/dl and put its bin directory into PATH"
		return
	fi
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//')
	if version_at_least "${have:-0}" "$want"; then
		good "Go $have"
	else
		bad "Go $want or newer (found ${have:-none})" "install a newer one from https://go.dev/dl"
	fi
}

check_git() {
	if ! command -v git >/dev/null 2>&1; then
		bad "git" "install it: apt-get install git, dnf install git, brew install git"
		return
	fi
	good "$(git --version)"
	if [ -x "$(git --exec-path)/git-http-backend" ]; then
		good "git http-backend"
	else
		bad "git http-backend (the local Git server)" "install the full git package: apt-get install git, dnf install git-core, apk add git-daemon"
	fi
}

check_cc() {
	cc=$(go env CC 2>/dev/null | awk '{ print $1 }')
	if command -v "${cc:-cc}" >/dev/null 2>&1; then
		good "C compiler ${cc:-cc} (for the race detector)"
	else
		bad "a C compiler (for the race detector)" "install one: apt-get install gcc libc6-dev, dnf install gcc, xcode-select --install"
	fi
}

check_memory() {
	[ -r /proc/meminfo ] || return 0
	have=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
	if [ "${have:-0}" -ge "$need_memory_mib" ]; then
		good "memory: $have MiB free"
	else
		bad "$need_memory_mib MiB of free memory (found ${have:-0})" "close programs, or give the machine more: three clusters and a hub take about 2 GiB, the first build 3"
	fi
}

# disk_at NAME DIR: the caches need not exist yet, so the nearest parent counts.
disk_at() {
	dir=$2
	while [ -n "$dir" ] && [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
	have=$(df -Pk "${dir:-/}" | awk 'NR == 2 { print int($4 / 1024) }')
	if [ "${have:-0}" -ge "$need_disk_mib" ]; then
		good "disk for $1: $have MiB free"
	else
		bad "$need_disk_mib MiB of free disk for $1 at $2 (found ${have:-0})" "$3"
	fi
}

check_disk() {
	disk_at "this directory" "$root" "free some space there"
	command -v go >/dev/null 2>&1 || return 0
	disk_at "Go's build cache" "$(cd / && go env GOCACHE)" "run 'go clean -cache', or set GOCACHE to a larger disk"
	disk_at "Go's module cache" "$(cd / && go env GOMODCACHE)" "free some space there, or set GOMODCACHE to a larger disk"
}

check_go
check_git
check_cc
check_memory
check_disk
exit $missing
