// Package api_test holds what a real API server makes of Muster's CRDs: what
// they refuse, in which words, what they fill in and how kubectl shows them.
package api_test

import (
	"testing"

	"github.com/muster-dev/muster/internal/lab/plane"
)

func TestMain(m *testing.M) { plane.Main(m) }
