package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// webhookSecretName is the Secret that keys the seeded GitRepo's webhook.
const webhookSecretName = "fleet-webhook"

// Scheme knows Kubernetes' kinds and Muster's.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("build scheme: %w", err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("build scheme: %w", err)
	}
	return s, nil
}

// newClient reads and writes without a cache.
func newClient(config *rest.Config) (client.Client, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return c, nil
}

// prepareHub makes what `helm install` and an operator would: CRDs, namespaces
// and the Clusters with their labels.
func (l *Lab) prepareHub(ctx context.Context) error {
	l.say("installing Muster's CRDs on the hub")
	if err := plane.InstallCRDs(ctx, l.plane.Server(HubName).Config()); err != nil {
		return err
	}
	if err := ensureNamespace(ctx, l.hub, ManagerNamespace, nil); err != nil {
		return err
	}
	if err := ensureNamespace(ctx, l.hub, Workspace, map[string]string{v1alpha1.LabelWorkspace: "true"}); err != nil {
		return err
	}
	for _, c := range l.options.Clusters {
		cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: Workspace, Name: c.Name, Labels: c.Labels}}
		if err := l.hub.Create(ctx, cluster); err != nil {
			return fmt.Errorf("make Cluster %s: %w", c.Name, err)
		}
	}
	return nil
}

func ensureNamespace(ctx context.Context, c client.Client, name string, labels map[string]string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	err := c.Create(ctx, namespace)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace); err != nil {
		return fmt.Errorf("read namespace %s: %w", name, err)
	}
	before := namespace.DeepCopy()
	if namespace.Labels == nil {
		namespace.Labels = map[string]string{}
	}
	for k, v := range labels {
		namespace.Labels[k] = v
	}
	return c.Patch(ctx, namespace, client.MergeFrom(before))
}

// makeWebhookSecret keeps the webhook's key on the hub and in a file for scripts.
func (l *Lab) makeWebhookSecret(ctx context.Context) error {
	key := rand.Text()
	if err := os.WriteFile(l.path("webhook-secret"), []byte(key), 0o600); err != nil {
		return fmt.Errorf("write the webhook's secret: %w", err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: Workspace, Name: webhookSecretName},
		StringData: map[string]string{"token": key},
	}
	if err := l.hub.Create(ctx, secret); err != nil {
		return fmt.Errorf("make the webhook's Secret: %w", err)
	}
	return nil
}

// makeGitRepo makes the seeded GitRepo: the whole repository to all clusters.
func (l *Lab) makeGitRepo(ctx context.Context) error {
	repo := &v1alpha1.GitRepo{
		ObjectMeta: metav1.ObjectMeta{Namespace: Workspace, Name: GitRepoName},
		Spec: v1alpha1.GitRepoSpec{
			Repo: l.gitURL, Branch: gitserver.Branch, WebhookSecret: webhookSecretName,
			Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{Name: "every-cluster", ClusterSelector: &metav1.LabelSelector{}}}},
		},
	}
	if err := l.hub.Create(ctx, repo); err != nil {
		return fmt.Errorf("make GitRepo %s: %w", GitRepoName, err)
	}
	return nil
}
