package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// inTurn are the places of objects in the order in which they are applied: hooks
// that come before stand after what has to be there for them, a chart's CRDs and
// the release namespace; the other hooks stand last, as they are listed.
func inTurn(objects []content.Object) []int {
	var founding, before, rest []int
	for i, o := range objects {
		switch {
		case o.Role == content.RoleReleaseNamespace || o.Role == content.RoleChartCRD:
			founding = append(founding, i)
		case runsBefore(o):
			before = append(before, i)
		default:
			rest = append(rest, i)
		}
	}
	return slices.Concat(founding, before, rest)
}

func runsBefore(o content.Object) bool {
	return o.Hook != nil && (slices.Contains(o.Hook.Events, "pre-install") || slices.Contains(o.Hook.Events, "pre-upgrade"))
}

// hookComment says when a hook is run, "" for an ordinary object.
func hookComment(o content.Object) string {
	if o.Hook == nil {
		return ""
	}
	return fmt.Sprintf("# hook: %s (weight %d)\n", strings.Join(o.Hook.Events, ", "), o.Hook.Weight)
}
