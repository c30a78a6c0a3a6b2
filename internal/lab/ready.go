package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sayEvery is how often Ready says what it waits for, if that changed.
const sayEvery = 2 * time.Second

// Ready returns when every agent has joined and streams and, with a seed, when
// its bundles are Ready everywhere. Then demo.json exists. The error names what
// is missing.
func (l *Lab) Ready(ctx context.Context) error {
	last, said, told := []string{"nothing was looked at"}, time.Now(), ""
	for {
		missing, err := l.missing(ctx)
		if err == nil && len(missing) == 0 {
			return l.becomeReady()
		}
		if err == nil {
			last = missing
		}
		if text := brief(last); text != told && time.Since(said) > sayEvery {
			said, told = time.Now(), text
			l.say(text)
		}
		if err := l.plane.Alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; not ready: %s", errors.Join(context.Cause(ctx), err), strings.Join(last, "; "))
		case <-time.After(pollInterval):
		}
	}
}

// brief is one line of a list that may be long.
func brief(missing []string) string {
	const most, width = 3, 100
	var shown []string
	for _, one := range missing[:min(most, len(missing))] {
		if len(one) > width {
			one = one[:width] + "..."
		}
		shown = append(shown, one)
	}
	text := "waiting: " + strings.Join(shown, "; ")
	if more := len(missing) - len(shown); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// missing says what is not ready yet, in words.
func (l *Lab) missing(ctx context.Context) ([]string, error) {
	var clusters v1alpha1.ClusterList
	if err := l.hub.List(ctx, &clusters, client.InNamespace(Workspace)); err != nil {
		return nil, err
	}
	var missing []string
	for _, c := range clusters.Items {
		if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionConnected) {
			missing = append(missing, "cluster "+c.Name+" is not connected")
		}
	}
	if l.options.Seed == "" {
		return missing, nil
	}
	var repo v1alpha1.GitRepo
	if err := l.hub.Get(ctx, client.ObjectKey{Namespace: Workspace, Name: GitRepoName}, &repo); err != nil {
		return nil, err
	}
	var bundles v1alpha1.BundleList
	if err := l.hub.List(ctx, &bundles, client.InNamespace(Workspace), client.MatchingLabels{v1alpha1.LabelGitRepo: GitRepoName}); err != nil {
		return nil, err
	}
	return append(missing, unreadyRepo(repo, bundles.Items, l.commit)...), nil
}

// unreadyRepo says what of a GitRepo is not Ready at a commit.
func unreadyRepo(repo v1alpha1.GitRepo, bundles []v1alpha1.Bundle, commit string) []string {
	var missing []string
	if repo.Status.Commit != commit {
		missing = append(missing, fmt.Sprintf("GitRepo %s is at commit %q, not at %q", repo.Name, repo.Status.Commit, commit))
	}
	if message := unready(repo.Status.Conditions); message != "" {
		missing = append(missing, "GitRepo "+repo.Name+" is "+message)
	}
	if repo.Status.WebhookPath == "" {
		missing = append(missing, "GitRepo "+repo.Name+" has no webhook path")
	}
	for _, p := range repo.Status.Problems {
		missing = append(missing, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message))
	}
	if s := repo.Status.Summary; s.Ready < s.Desired {
		missing = append(missing, fmt.Sprintf("%d of %d bundle copies are ready", s.Ready, s.Desired))
	}
	for _, b := range bundles {
		if message := unready(b.Status.Conditions); message != "" {
			missing = append(missing, "bundle "+b.Name+" is "+message)
		}
	}
	slices.Sort(missing)
	return missing
}

func unready(conditions []metav1.Condition) string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "not looked at yet"
	}
	if ready.Status == metav1.ConditionTrue {
		return ""
	}
	return strings.TrimSuffix(ready.Reason+": "+ready.Message, ": ")
}

func (l *Lab) becomeReady() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	contract, err := l.contractLocked(context.Background())
	if err != nil {
		return err
	}
	l.ready = true
	return contract.write(l.options.Dir)
}

// publish rewrites demo.json after a process id changed.
func (l *Lab) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ready {
		return
	}
	contract, err := l.contractLocked(context.Background())
	if err == nil {
		err = contract.write(l.options.Dir)
	}
	if err != nil {
		l.say(err.Error())
	}
}

// Contract says where everything is now.
func (l *Lab) Contract(ctx context.Context) (Contract, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.contractLocked(ctx)
}

func (l *Lab) contractLocked(ctx context.Context) (Contract, error) {
	hub := l.plane.Server(HubName)
	c := Contract{
		API: hub.URL, Gateway: l.gateway, Git: l.gitURL, HubKubeconfig: hub.Kubeconfig, Workspace: Workspace,
		Webhook: Webhook{SecretFile: l.path("webhook-secret"), Header: gitserver.SignatureHeader},
		Audit:   map[string]string{HubName: hub.Audit}, Logs: l.path("logs"), Bin: l.programs.dir,
		PIDs: l.pids(),
	}
	for _, cluster := range l.options.Clusters {
		server := l.plane.Server(cluster.Name)
		c.Audit[cluster.Name] = server.Audit
		c.Clusters = append(c.Clusters, ClusterContract{Name: cluster.Name, Labels: cluster.Labels, Kubeconfig: server.Kubeconfig})
	}
	if l.options.Seed == "" {
		return c, nil
	}
	c.GitRepo = GitRepoName
	return c, l.addWebhook(ctx, &c)
}

// addWebhook adds the URL, which never changes once the manager published it.
func (l *Lab) addWebhook(ctx context.Context, c *Contract) error {
	if l.webhookPath == "" {
		var repo v1alpha1.GitRepo
		if err := l.hub.Get(ctx, client.ObjectKey{Namespace: Workspace, Name: GitRepoName}, &repo); err != nil {
			return fmt.Errorf("read the webhook's path: %w", err)
		}
		l.webhookPath = repo.Status.WebhookPath
	}
	c.Webhook.URL = l.gateway + l.webhookPath
	return nil
}

func (l *Lab) pids() PIDs {
	p := PIDs{
		Demo: os.Getpid(), Manager: l.manager.pid(), Git: l.git.PID(), Etcd: l.plane.EtcdPID(),
		Agents: map[string]int{}, APIServers: map[string]int{},
	}
	for name, agent := range l.agents {
		p.Agents[name] = agent.pid()
	}
	for _, server := range l.plane.Servers() {
		p.APIServers[server.Name] = server.PID()
	}
	return p
}
