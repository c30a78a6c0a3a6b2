package main

import (
	"bytes"
	"strings"
)

// testCounter watches the output of go test for packages whose tests ran.
type testCounter struct {
	partial  []byte
	packages int
}

// Write never fails, so that counting cannot disturb the output it watches.
func (c *testCounter) Write(p []byte) (int, error) {
	c.partial = append(c.partial, p...)
	for {
		line, rest, found := bytes.Cut(c.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		c.packages += testedPackages(string(line))
		c.partial = rest
	}
}

// tested is how many packages ran at least one test.
func (c *testCounter) tested() int {
	return c.packages + testedPackages(string(c.partial))
}

// testedPackages is 1 for go test's closing line of a package that ran tests.
func testedPackages(line string) int {
	if !strings.HasPrefix(line, "ok  \t") || strings.Contains(line, "[no tests to run]") {
		return 0
	}
	return 1
}
