package e2e_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/loop"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// token asks the command line for a join token, as an operator would.
func (s *scenario) token(flags ...string) string {
	s.t.Helper()
	muster, err := plane.Binary("", "muster")
	s.must(err)
	contract, err := s.demo.Contract()
	s.must(err)
	args := append([]string{"cluster", "token", "--kubeconfig", contract.HubKubeconfig, "--url", contract.Gateway}, flags...)
	out, err := exec.CommandContext(s.ctx, muster, args...).Output()
	s.must(err)
	return strings.TrimSpace(string(out))
}

// A cluster that is deleted on the hub is revoked: everything on it stays, and
// nothing is corrected any more. With a new token it joins again under its
// name, knows its objects, and rewrites none of them.
func TestAClusterRevokedDeletedAndRejoined(t *testing.T) {
	s := begin(t, "rejoin")
	s.bundles("e2e-rejoin", "correctDrift:\n  enabled: true\n", ".")
	s.must(s.clone.Write(map[string]string{
		"one.yaml": settings("e2e-rejoin", "one", "1"), "two.yaml": settings("e2e-rejoin", "two", "1"),
	}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)
	before := s.uids("canary-1", "e2e-rejoin", "one", "two")
	var old v1alpha1.Cluster
	s.must(s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: "canary-1"}, &old))

	s.watched()
	s.expectBystanders()
	s.must(s.demo.Hub.Delete(s.ctx, &old))
	s.await("the agent to say that it was revoked", func() error { return s.hasEvent("canary-1", "evoked") })
	s.editByHand("canary-1", "e2e-rejoin", "one", "while revoked")
	s.pause(3 * time.Second)
	s.awaitValue("canary-1", "e2e-rejoin", "one", "while revoked")
	s.audited()

	s.watched()
	s.expectBystanders()
	s.expect.writesOnce("canary-1", configMap("e2e-rejoin", "one"))
	s.expect.managerMayWrite("clusters.muster.dev", "jointokens.muster.dev")
	s.must(s.demo.Hub.Create(s.ctx, &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.Workspace, Name: "canary-1", Labels: old.Labels},
	}))
	file := filepath.Join(s.demo.Dir, "planes", "canary-1", "join-token")
	s.must(os.WriteFile(file, []byte(s.token("--name", "canary-1")), 0o600))
	// A refused agent asks again within minutes; `helm upgrade --set token=` restarts it.
	pid := s.pids().Agents["canary-1"]
	s.must(syscall.Kill(pid, syscall.SIGTERM))
	s.must(s.demo.AwaitRestart(s.ctx, func(p lab.PIDs) int { return p.Agents["canary-1"] }, pid))
	s.awaitConnected("canary-1")
	s.awaitValue("canary-1", "e2e-rejoin", "one", "1")
	s.awaitReady(commit)
	s.audited()
	if diff := cmp.Diff(before, s.uids("canary-1", "e2e-rejoin", "one", "two")); diff != "" {
		t.Errorf("uids before and after joining again (-before +after):\n%s", diff)
	}
	if _, err := s.get("canary-1", "storefront", "storefront"); err != nil {
		t.Errorf("an object of another repository: %v", err)
	}
}

// expectBystanders: a cluster that comes and goes changes counts of every
// GitRepo and Bundle.
func (s *scenario) expectBystanders() {
	s.expect.managerMayWrite("gitrepos.muster.dev/status/", "bundles.muster.dev/status/", "clustergroups.muster.dev/status/")
}

// hasEvent looks for an Event of an agent whose reason or message contains text.
func (s *scenario) hasEvent(cluster, text string) error {
	var events corev1.EventList
	if err := s.demo.Cluster(cluster).List(s.ctx, &events, client.InNamespace(lab.AgentNamespace)); err != nil {
		return err
	}
	for _, e := range events.Items {
		if strings.Contains(e.Reason, text) || strings.Contains(e.Message, text) {
			return nil
		}
	}
	return fmt.Errorf("none of %d Events", len(events.Items))
}

// Agents whose clocks are a year off, ahead and behind, join, obey, report and
// follow a push.
func TestAgentsWhoseClocksAreAYearOff(t *testing.T) {
	s := begin(t, "clocks")
	s.bundles("e2e-clocks", "", ".")
	s.must(s.clone.Write(map[string]string{"one.yaml": settings("e2e-clocks", "one", "1")}))
	commit := s.push("Start")
	s.follow(map[string]string{"clock": "wrong"})

	const year = 365 * 24 * time.Hour
	skews := map[string]time.Duration{"ahead-1": year, "behind-1": -year}
	edge, err := plane.Start(s.ctx, plane.Options{Dir: t.TempDir(), Servers: []string{"ahead-1", "behind-1"}})
	s.must(err)
	t.Cleanup(edge.Stop)
	for name, skew := range skews {
		s.startSkewed(edge.Server(name), name, skew)
	}
	s.awaitConnected("ahead-1", "behind-1")
	s.awaitReady(commit)
	s.must(s.clone.Replace("one.yaml", `"1"`, `"2"`))
	s.awaitReady(s.push("Edit"))
	for name := range skews {
		c, err := client.New(edge.Server(name).Config(), client.Options{})
		s.must(err)
		var got corev1.ConfigMap
		s.must(c.Get(s.ctx, client.ObjectKey{Namespace: "e2e-clocks", Name: "one"}, &got))
		if got.Data["value"] != "2" {
			t.Errorf("%s has value %q, want 2", name, got.Data["value"])
		}
	}
	repo, err := s.repo()
	s.must(err)
	if got := repo.Status.Summary; got.Desired != 2 || got.Ready != 2 {
		t.Errorf("summary is %+v, want 2 of 2 ready", got)
	}
}

// startSkewed runs an agent in this process, as cmd/muster-agent composes it,
// whose clock is off; the Cluster is forgotten when the test ends.
func (s *scenario) startSkewed(server *plane.Server, name string, skew time.Duration) {
	s.t.Helper()
	c, err := client.New(server.Config(), client.Options{})
	s.must(err)
	s.must(c.Create(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: lab.AgentNamespace}}))
	kubeClient, err := kube.New(server.Config(), lab.AgentNamespace, "muster-agent/e2e")
	s.must(err)
	s.must(kubeClient.Kinds.Refresh(s.ctx))
	facts, err := loop.Facts(s.ctx, kubeClient, "e2e")
	s.must(err)
	_, key, err := ed25519.GenerateKey(nil)
	s.must(err)
	clock := hubclient.Options{Now: func() time.Time { return time.Now().Add(skew) }}
	token := s.token("--name", name, "--labels", "clock=wrong")
	var identity hubclient.Identity
	s.await(name+" to join", func() (err error) { // a busy hub asks to be asked again
		identity, err = hubclient.Join(s.ctx, token, key, facts, clock)
		return err
	})
	hub, err := hubclient.New(identity, clock)
	s.must(err)
	agent, err := loop.New(kubeClient, hub, loop.Options{
		Cluster: identity.ClusterUID, Trust: identity.Trust, Version: "e2e", Session: hub.Session(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Open: hub.Open,
		Obeyed: func(d protocol.Document, h protocol.Header) { hub.Adopt(d, h) },
	})
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-ended
		gone := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Workspace, Name: name}}
		if err := s.demo.Hub.Delete(context.Background(), gone); err != nil {
			s.t.Error(err)
		}
	})
}
