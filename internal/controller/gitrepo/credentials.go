package gitrepo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	fold "github.com/muster-dev/muster/pkg/status"
)

// FallbackSecret is read when a GitRepo names no Secret, as Fleet does.
const FallbackSecret = "gitcredential"

// secretsFor is how long Secrets read live are believed: they are few, change
// rarely, and are read anew at once when a server refuses them.
const secretsFor = 5 * time.Minute

// secrets remembers what was read from Secrets, never longer than secretsFor.
type secrets struct {
	name  string
	until time.Time
	auth  source.Auth
}

func (s *secrets) forget() { s.until = time.Time{} }

// remote says how to reach the repository, and keeps its webhook known.
func (c *Controller) remote(ctx context.Context, g *v1alpha1.GitRepo, r *repo) (source.Remote, error) {
	if err := c.readSecrets(ctx, g, &r.secrets); err != nil {
		return source.Remote{}, err
	}
	if err := c.hooks.Refresh(ctx, c.live, g, c.clock.Now()); err != nil {
		return source.Remote{}, err
	}
	r.finding.WebhookPath = c.hooks.Path(g.Namespace + "/" + g.Name)
	return source.Remote{
		URL: g.Spec.Repo, Auth: r.secrets.auth, CABundle: g.Spec.CABundle, InsecureSkipTLSVerify: g.Spec.InsecureSkipTLSVerify,
	}, nil
}

func (c *Controller) readSecrets(ctx context.Context, g *v1alpha1.GitRepo, s *secrets) error {
	now := c.clock.Now()
	if s.name == g.Spec.ClientSecretName && now.Before(s.until) {
		return nil
	}
	next := secrets{name: g.Spec.ClientSecretName, until: now.Add(secretsFor)}
	if err := c.readAuth(ctx, g, &next); err != nil {
		return err
	}
	*s = next
	return nil
}

func (c *Controller) readAuth(ctx context.Context, g *v1alpha1.GitRepo, s *secrets) error {
	name, fallback := g.Spec.ClientSecretName, false
	if name == "" {
		name, fallback = FallbackSecret, true
	}
	secret, err := c.secret(ctx, g.Namespace, name)
	if apierrors.IsNotFound(err) && fallback {
		return nil
	}
	if err != nil {
		return &finding{fold.Verdict{Reason: v1alpha1.ReasonUnauthorized, Message: fmt.Sprintf(
			"read Secret %s/%s that spec.clientSecretName names: %v", g.Namespace, name, err)}}
	}
	if s.auth, err = source.AuthFromSecret(secret.Data); err != nil {
		return &finding{fold.Verdict{Reason: v1alpha1.ReasonUnauthorized, Message: fmt.Sprintf("Secret %s/%s: %v", g.Namespace, name, err)}}
	}
	return nil
}

func (c *Controller) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	var s corev1.Secret
	err := c.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &s)
	return &s, err
}
