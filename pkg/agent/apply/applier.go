package apply

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/health"
	"github.com/muster-dev/muster/pkg/agent/items"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/content"
)

const (
	// maxRetryAfter bounds how long a server may send us away, in seconds.
	maxRetryAfter = 600
	// keepTries is how often an object that others write at the same time is read again.
	keepTries = 4
)

// Applier performs effects.
type Applier struct {
	client *kube.Client
	shelf  *items.Shelf
	mask   []byte // keys the digests that stand for values of Secrets
}

// New returns an applier that takes manifests from shelf.
func New(client *kube.Client, shelf *items.Shelf) *Applier {
	mask := make([]byte, 32)
	rand.Read(mask) // never fails, as crypto/rand promises
	return &Applier{client: client, shelf: shelf, mask: mask}
}

// Apply performs one server-side apply.
func (p *Applier) Apply(ctx context.Context, a core.Apply) core.Applied {
	answer := core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash}
	live, err := p.apply(ctx, a)
	if err != nil {
		answer.Failure = classify(err, a.Key)
		return answer
	}
	answer.Live = live
	return answer
}

func (p *Applier) apply(ctx context.Context, a core.Apply) (*core.Live, error) {
	object, options, err := p.shelf.Object(a.Content, a.Key)
	if err != nil {
		return nil, err
	}
	resource, err := p.resource(a.Key, items.Version(object.Manifest))
	if err != nil {
		return nil, err
	}
	namespace, name := place(a.Key, resource, options)
	data, err := p.send(ctx, a, object, options, at{namespace, resource.Path(namespace, name)})
	if err != nil {
		return nil, err
	}
	live, err := health.Decode(data)
	if err != nil {
		return nil, err
	}
	return health.Look(live), nil
}

// at is where an object lives.
type at struct{ namespace, path string }

// send applies one object. One with volatile values is read first, and applied
// as it was read or not at all: what somebody wrote in between is not undone.
func (p *Applier) send(ctx context.Context, a core.Apply, o content.Object, options content.Options, at at) ([]byte, error) {
	for tries := 1; ; tries++ {
		live, err := p.keepable(ctx, o, at)
		if err != nil {
			return nil, err
		}
		body, err := decorate(a, o, options, at.namespace, live)
		if err != nil {
			return nil, err
		}
		data, err := p.client.Apply(ctx, a.ServiceAccount, at.path, core.Manager(a.Role, a.Bundle), body)
		if live == nil || tries == keepTries || !kube.IsStatus(err, http.StatusConflict) {
			return data, err
		}
	}
}

// keepable returns the live object if values of it are to be kept; nil if not,
// or if there is none. It is read with the agent's own rights: the values go
// nowhere but back to where they were read.
func (p *Applier) keepable(ctx context.Context, o content.Object, at at) (map[string]any, error) {
	if len(o.Volatile) == 0 {
		return nil, nil
	}
	data, err := p.client.Get(ctx, at.path)
	if kube.IsGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is to be kept: %w", err)
	}
	return health.Decode(data)
}

func (p *Applier) resource(k content.Key, version string) (kube.Resource, error) {
	group, kind, _, _ := k.Split()
	return p.client.Kinds.Find(group, kind, version)
}

// place returns where an object lives: the renderer does not know which kinds
// are namespaced, the cluster does.
func place(k content.Key, r kube.Resource, o content.Options) (namespace, name string) {
	_, _, namespace, name = k.Split()
	switch {
	case !r.Namespaced:
		return "", name
	case namespace != "":
		return namespace, name
	case o.Namespace != "":
		return o.Namespace, name
	}
	return "default", name
}

// classify says when an apply is worth trying again. Its text may hold what
// the manifest said, so values of Secrets are left out.
func classify(err error, k content.Key) core.Failure {
	f := core.Failure{Kind: core.FailureRetry, Message: redact(err, k)}
	switch {
	case errors.Is(err, kube.ErrNotServed):
		f.Kind, f.Message = core.FailureWaiting, err.Error()
	case errors.Is(err, kube.ErrNoAccount):
		f.Kind = core.FailurePermanent
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err),
		apierrors.IsRequestEntityTooLargeError(err), apierrors.IsUnsupportedMediaType(err), isSchema(err):
		f.Kind = core.FailurePermanent
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), "namespaces"):
		f.NoNamespace = true
	case apierrors.IsNotFound(err):
		f.Kind = core.FailureWaiting // the definition is there, its endpoint not yet
	}
	if isTerminating(err) {
		f.Kind = core.FailureRetry
	}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		f.RetryAfterSeconds = min(seconds, maxRetryAfter)
	}
	return f
}

// isSchema tells whether the manifest itself does not fit: such answers come
// as 500 from server-side apply.
func isSchema(err error) bool {
	return strings.Contains(err.Error(), "field not declared in schema") || strings.Contains(err.Error(), "failed to create typed patch object")
}

// isTerminating tells whether only the namespace's end is in the way.
func isTerminating(err error) bool {
	return apierrors.HasStatusCause(err, "NamespaceTerminating")
}

// redact returns what may be shown of an error about a key.
func redact(err error, k content.Key) string {
	group, kind, _, _ := k.Split()
	if group != "" || kind != "Secret" {
		return err.Error()
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fmt.Sprintf("%s (%d); details of a Secret are not shown", status.Status().Reason, status.Status().Code)
	}
	if errors.Is(err, kube.ErrNoAccount) || errors.Is(err, context.DeadlineExceeded) {
		return err.Error()
	}
	return "apply failed; details of a Secret are not shown"
}
