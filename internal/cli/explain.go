package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// explain turns an answer of the hub into one line: what was tried, on what,
// why it failed, what to do next. It returns nil for nil.
func (h *hub) explain(verb, path string, err error) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("%s %s on %s", verb, thing(path), h.address)
	if next := nextStep(err); next != "" {
		return fmt.Errorf("%s: %w; %s", what, err, next)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// nextStep says what a person can do about an error, if there is something.
func nextStep(err error) string {
	var network *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "raise --timeout, or see whether the hub is up"
	case errors.As(err, &network):
		return "is the hub running? --kubeconfig and --context choose another"
	case noSuchResource(err):
		return "this API server has no Muster CRDs: install charts/muster-crds, or choose the hub with --context"
	case apierrors.IsUnauthorized(err):
		return "log in again, or choose another --context"
	case apierrors.IsForbidden(err):
		return "ask for that right in this workspace, or choose another with -n"
	default:
		return ""
	}
}

// noSuchResource tells a kind that is not served from an object that does not exist.
func noSuchResource(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == ""
}

// thing is an API path in people's words: "bundle fleet-apps in default".
func thing(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	namespace := ""
	for i, p := range parts {
		if p == "namespaces" && i+2 < len(parts) {
			namespace, parts = parts[i+1], parts[i+2:]
			break
		}
	}
	if namespace == "" {
		return parts[len(parts)-1]
	}
	if len(parts) == 1 {
		return parts[0] + " in " + namespace
	}
	return strings.TrimSuffix(parts[0], "s") + " " + strings.Join(parts[1:], "/") + " in " + namespace
}
