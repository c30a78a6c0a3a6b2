#!/bin/sh
# fuzz.sh runs every fuzz target of the tree for FUZZTIME; go test takes only one
# target of one package at a time.
set -eu
cd "$(dirname -- "$0")/.."

found=0
for file in $(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz' || true); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		found=$((found + 1))
		echo "== $target in ./$(dirname "$file")"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-60s}" "./$(dirname "$file")"
	done
done
[ "$found" -gt 0 ] || { echo "fuzz: there is no fuzz target" >&2; exit 1; }
echo "fuzz: $found targets, ${FUZZTIME:-60s} each"
