package gitrepo

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/receiver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Hooks knows which webhook path belongs to which GitRepo, on every replica.
type Hooks struct {
	mu    sync.RWMutex // guards the maps
	repos map[string]hook
	ids   map[string]receiver.Target
}

type hook struct {
	id     string
	secret string // name of the Secret it was read from
	until  time.Time
}

// NewHooks returns an empty registry.
func NewHooks() *Hooks { return &Hooks{repos: map[string]hook{}, ids: map[string]receiver.Target{}} }

// Refresh reads a GitRepo's webhook secret, at most every secretsFor, and gives
// the repository its path, or takes it away. A Secret that does not exist yet
// is looked for again: polling is the truth, a webhook only shortens it.
func (h *Hooks) Refresh(ctx context.Context, live client.Reader, g *v1alpha1.GitRepo, now time.Time) error {
	key := g.Namespace + "/" + g.Name
	if g.Spec.WebhookSecret == "" {
		h.Drop(key)
		return nil
	}
	h.mu.RLock()
	known := h.repos[key]
	h.mu.RUnlock()
	target := receiver.Target{Key: key, URL: g.Spec.Repo, Branch: g.Spec.Branch, Revision: g.Spec.Revision}
	if known.secret == g.Spec.WebhookSecret && now.Before(known.until) {
		h.retarget(known.id, target)
		return nil
	}
	token, err := hookSecret(ctx, live, g)
	if err != nil {
		return err
	}
	if len(token) == 0 {
		h.Drop(key)
		return nil
	}
	target.Secret = token
	h.set(key, hook{id: receiver.IDFor(string(g.UID), token), secret: g.Spec.WebhookSecret, until: now.Add(secretsFor)}, target)
	return nil
}

// hookSecret reads the keys token, secret or, as in Fleet's gitjob-webhook, github.
func hookSecret(ctx context.Context, live client.Reader, g *v1alpha1.GitRepo) ([]byte, error) {
	var s corev1.Secret
	err := live.Get(ctx, client.ObjectKey{Namespace: g.Namespace, Name: g.Spec.WebhookSecret}, &s)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s/%s that spec.webhookSecret names: %w", g.Namespace, g.Spec.WebhookSecret, err)
	}
	for _, k := range []string{"token", "secret", "github"} {
		if v := s.Data[k]; len(v) > 0 {
			return v, nil
		}
	}
	return nil, nil
}

func (h *Hooks) set(repo string, known hook, t receiver.Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.repos[repo].id; old != known.id {
		delete(h.ids, old)
	}
	h.repos[repo] = known
	h.ids[known.id] = t
}

// retarget follows an edit of the URL or branch without reading the Secret again.
func (h *Hooks) retarget(id string, t receiver.Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Secret = h.ids[id].Secret
	h.ids[id] = t
}

// Drop takes a GitRepo's webhook away.
func (h *Hooks) Drop(repo string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ids, h.repos[repo].id)
	delete(h.repos, repo)
}

// Path returns where a GitRepo's webhook is to be sent; "" if it has none.
func (h *Hooks) Path(repo string) string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	known, ok := h.repos[repo]
	if !ok {
		return ""
	}
	return "/hooks/" + known.id
}

// Lookup is a receiver.Lookup.
func (h *Hooks) Lookup(id string) (receiver.Target, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	t, ok := h.ids[id]
	return t, ok
}
