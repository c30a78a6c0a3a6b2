package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"sync"
	"time"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// login remembers credentials for charts, never longer than secretsFor.
type login struct {
	mu     sync.Mutex // guards the fields below
	name   string
	until  time.Time
	single charts.Credential
	byPath map[string]charts.Credential
}

// judge forgets credentials that a server refused: they may have been rotated a moment ago.
func (l *login) judge(err error) {
	if !errors.Is(err, charts.ErrUnauthorized) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
}

// credential is what a GitRepo gives for a chart: of helmSecretNameForPaths that
// of the bundle's directory, else of helmSecretName; and nothing for a URL that
// helmRepoURLRegex does not match.
func (c *Controller) credential(ctx context.Context, g *v1alpha1.GitRepo, l *login, ref bundle.ChartRef, dir string) (charts.Credential, error) {
	if g.Spec.HelmSecretName == "" && g.Spec.HelmSecretNameForPaths == "" {
		return charts.Credential{}, nil
	}
	ok, err := mayLogIn(g.Spec.HelmRepoURLRegex, ref)
	if err != nil || !ok {
		return charts.Credential{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.readLogin(ctx, g, l); err != nil {
		return charts.Credential{}, err
	}
	if g.Spec.HelmSecretNameForPaths != "" {
		return l.byPath[path.Clean(dir)], nil
	}
	return l.single, nil
}

// mayLogIn tells whether a chart's URL is one that credentials are meant for; an
// empty expression means any.
func mayLogIn(expression string, ref bundle.ChartRef) (bool, error) {
	if expression == "" {
		return true, nil
	}
	url := ref.Repo
	if url == "" {
		url = ref.Chart
	}
	ok, err := regexp.MatchString(expression, url)
	if err != nil {
		return false, fmt.Errorf("spec.helmRepoURLRegex: %w", err)
	}
	return ok, nil
}

// readLogin reads the Secret that the GitRepo names; l.mu is held.
func (c *Controller) readLogin(ctx context.Context, g *v1alpha1.GitRepo, l *login) error {
	field, name := "helmSecretName", g.Spec.HelmSecretName
	if g.Spec.HelmSecretNameForPaths != "" {
		field, name = "helmSecretNameForPaths", g.Spec.HelmSecretNameForPaths
	}
	now := c.clock.Now()
	if l.name == field+"/"+name && now.Before(l.until) {
		return nil
	}
	secret, err := c.secret(ctx, g.Namespace, name)
	if err != nil {
		return fmt.Errorf("read Secret %s/%s that spec.%s names: %w", g.Namespace, name, field, err)
	}
	l.single, l.byPath = charts.Credential{}, nil
	if g.Spec.HelmSecretNameForPaths != "" {
		byPath, err := charts.CredentialsForPaths(secret.Data)
		if err != nil {
			return fmt.Errorf("use Secret %s/%s that spec.%s names: %w", g.Namespace, name, field, err)
		}
		l.byPath = make(map[string]charts.Credential, len(byPath))
		for dir, credential := range byPath {
			l.byPath[path.Clean(dir)] = credential
		}
	} else if l.single, err = charts.CredentialFromSecret(secret.Data); err != nil {
		return fmt.Errorf("use Secret %s/%s that spec.%s names: %w", g.Namespace, name, field, err)
	}
	l.name, l.until = field+"/"+name, now.Add(secretsFor)
	return nil
}
