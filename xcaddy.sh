#!/usr/bin/env sh
# SPDX-FileCopyrightText: The caddy-oauth2 Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds, runs and tests caddy-oauth2. Without an argument it prints help.
set -eu

cd "$(dirname "$0")"

module=github.com/caddy-oauth2/caddy-oauth2
output=${OUTPUT:-examples/caddy/caddy}
case $output in
/*) ;;
*) output=$PWD/$output ;;
esac
fuzz_seconds=${FUZZ_SECONDS:-5}

help() {
	cat <<HELP
Usage: ./xcaddy.sh build | run | test

  build   build Caddy with this module into examples/caddy/caddy
  run     build, then serve examples/quickstart on http://localhost:8080
  test    check everything: format, vet, staticcheck, race tests, whole-system
          tests, each fuzz target for some seconds

Environment:
  OUTPUT         the binary to build instead
  CADDY_VERSION  the Caddy that xcaddy builds (default: the one of go.mod)
  FUZZ_SECONDS   how long each fuzz target runs (default: 5)
HELP
}

say() { printf '==> %s\n' "$*"; }

# fail SENTENCE... ends the script with what is wrong.
fail() {
	printf 'xcaddy.sh: %s\n' "$*" >&2
	exit 1
}

# need COMMAND PACKAGE... makes sure that a command is there: as root on Debian
# it installs the packages, elsewhere it names them.
need() {
	command=$1
	shift
	command -v "$command" >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		say "installing $* (for $command)"
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$@" >/dev/null && return
	fi
	fail "$command is missing: install it (Debian: apt-get install $*) and try again"
}

# need_unpacked COMMAND PACKAGE is need for a package that would start a service:
# of it only the commands are taken, into /usr/local/bin.
need_unpacked() {
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		say "unpacking Debian's $2 into /usr/local/bin (for $1)"
		unpacked=$(mktemp -d)
		apt-get update -qq &&
			(cd "$unpacked" && apt-get download -qq -o APT::Sandbox::User=root "$2" && dpkg-deb -x ./*.deb .) &&
			install -m 755 "$unpacked"/usr/bin/* /usr/local/bin/ && rm -r "$unpacked" && return
	fi
	fail "$1 is missing: install it (Debian: apt-get install $2) and try again"
}

need_go() {
	command -v go >/dev/null 2>&1 || fail "Go is missing: install $(sed -n 's/^go /Go /p' go.mod) or newer from https://go.dev/dl/"
}

# build leaves Caddy with this module at $output. Where xcaddy is not installed,
# examples/caddy is what xcaddy would build.
build() {
	need_go
	if command -v xcaddy >/dev/null 2>&1; then
		say "building $output with xcaddy"
		xcaddy build "${CADDY_VERSION:-$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)}" \
			--with "$module=." --output "$output"
	else
		say "building $output (the first time takes a few minutes)"
		CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -tags nobadger,nomysql,nopgx -o "$output" ./examples/caddy
	fi
	"$output" list-modules 2>/dev/null | grep -q '^oauth2$' || fail "$output does not have the module"
}

# run serves the quickstart until it is interrupted.
run() {
	build
	# shellcheck disable=SC2016 # the fences of Markdown
	sed -n '/^```sh$/,/^```$/{/^```/d;p;}' examples/quickstart/README.md | sed 's/^/    /' | {
		say "serving http://localhost:8080; try in another terminal:"
		cat
	}
	exec "$output" run --config examples/quickstart/Caddyfile
}

# fuzz runs each fuzz target of the package in directory $1 for some seconds.
fuzz() {
	grep -hos '^func Fuzz[A-Za-z0-9_]*' "$1"/*_test.go | sed 's/^func //' | while read -r target; do
		say "fuzzing $1 $target for ${fuzz_seconds} s"
		if go test -run '^$' -fuzz "^$target\$" -fuzztime "${fuzz_seconds}s" "./$1" >"$tools/fuzz" 2>&1; then
			tail -n 1 "$tools/fuzz"
		elif ! grep -q 'context deadline exceeded' "$tools/fuzz" || grep -q 'Failing input' "$tools/fuzz"; then
			cat "$tools/fuzz"
			fail "$1 $target found something"
		else
			# Go 1.26 may call it a failure that the time is up (golang/go#75804).
			echo "nothing found"
		fi
	done
}

# test_all runs every check, what needs no Caddy first: that takes minutes less
# to fail. The whole-system tests come last.
test_all() {
	need_go
	need git git
	need gcc gcc libc6-dev # for the race detector
	need curl curl # the tours of the READMEs
	need npm nodejs npm # the example application, and a client that others wrote
	node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || fail "Node.js is too old: install 20 or newer"
	need systemd-analyze systemd
	need chromium chromium # the pages, as people see them
	need_unpacked prometheus prometheus

	say "format"
	# shellcheck disable=SC2046 # a list of files
	unformatted=$(gofmt -l $(git ls-files '*.go'))
	[ -z "$unformatted" ] || fail "run gofmt -w on: $unformatted"

	tools=$(mktemp -d)
	trap 'rm -rf "$tools"' EXIT
	go build -o "$tools/staticcheck" honnef.co/go/tools/cmd/staticcheck

	# Fuzzing compiles all that a package links anew, instrumented: two minutes
	# more, the first time, for those that link Caddy.
	say "fuzz targets"
	git ls-files '*_test.go' | grep -v '^examples/' | sed 's|/[^/]*$||' | sort -u | while read -r directory; do
		fuzz "$directory"
	done

	# One set of flags from here on, so that Caddy is compiled once.
	GOFLAGS="${GOFLAGS:-} -race"
	export GOFLAGS

	say "race tests of the rooms without Caddy"
	go test -count=1 ./authz/... ./tokenstore/...

	say "vet and staticcheck (compiles Caddy: minutes, the first time)"
	go vet ./...
	"$tools/staticcheck" ./...
	if [ -f examples/bench/go.mod ]; then
		(cd examples/bench && go vet ./... && "$tools/staticcheck" ./... && go test -count=1 ./...)
	fi

	say "tests with Caddy"
	# shellcheck disable=SC2046 # a list of packages
	go test -count=1 -parallel 4 -timeout 60m $(go list ./... | grep -v -e "^$module/authz" -e "^$module/tokenstore")
}

case "${1:-}" in
build) build ;;
run) run ;;
test) test_all ;;
'' | help | -h | --help) help ;;
*)
	help >&2
	exit 2
	;;
esac
