package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The first commit reaches three clusters, each in its own variant, and every
// object is written once.
func TestFirstConvergence(t *testing.T) {
	s := &scenario{t: t, ctx: t.Context(), demo: fleet(t), name: lab.GitRepoName}
	for cluster, want := range map[string]struct {
		replicas int32
		logLevel string
		backups  bool
		proxy    bool
	}{
		"canary-1": {replicas: 1, logLevel: "debug"},
		"eu-1":     {replicas: 3, logLevel: "info", backups: true, proxy: true},
		"us-1":     {replicas: 3, logLevel: "info", backups: true, proxy: true},
	} {
		var storefront appsv1.Deployment
		s.must(s.demo.Cluster(cluster).Get(s.ctx, client.ObjectKey{Namespace: "storefront", Name: "storefront"}, &storefront))
		if got := storefront.Status.ReadyReplicas; got != want.replicas {
			t.Errorf("%s: storefront has %d ready replicas, want %d", cluster, got, want.replicas)
		}
		config, err := s.get(cluster, "storefront", "storefront")
		s.must(err)
		if got := config.Data["LOG_LEVEL"]; got != want.logLevel {
			t.Errorf("%s: storefront's log level is %q, want %q", cluster, got, want.logLevel)
		}
		s.wantAny(cluster, "apiextensions.k8s.io", "v1", "CustomResourceDefinitionList", "backupplans.platform.example.com", want.backups)
		s.wantAny(cluster, "apps", "v1", "DeploymentList", "edge-proxy", want.proxy)
	}
	s.writtenOnce()
}

// wantAny says whether a cluster has an object of a kind whose name contains
// what is asked for.
func (s *scenario) wantAny(cluster, group, version, kind, name string, want bool) {
	s.t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
	s.must(s.demo.Cluster(cluster).List(s.ctx, list))
	got := false
	for _, item := range list.Items {
		got = got || item.GetName() == name
	}
	if got != want {
		s.t.Errorf("%s: %s %s is there: %v, want %v", cluster, kind, name, got, want)
	}
}

// writtenOnce: from the very first request on, no agent wrote an object twice
// (but namespaces, which bundles own together) or deleted one.
func (s *scenario) writtenOnce() {
	s.t.Helper()
	for server, events := range shared.first {
		assertIdentities(s.t, server, events)
		if server == lab.HubName {
			continue
		}
		writes := map[string]int{}
		for _, event := range events {
			if event.User.Username != agentUser || !event.Writes() || ownState(event) {
				continue
			}
			if event.Deletes() {
				s.t.Errorf("the agent of %s deleted %s", server, event.Key())
			}
			if writes[event.Key()]++; writes[event.Key()] > 1 && event.ObjectRef.Resource != "namespaces" {
				s.t.Errorf("the agent of %s wrote %s more than once", server, event.Key())
			}
		}
		if len(writes) == 0 {
			s.t.Errorf("the audit log of %s knows of no write by its agent", server)
		}
	}
}

// An idle fleet is silent: nobody writes, no agent asks its cluster anything,
// the manager asks the hub next to nothing.
func TestIdle(t *testing.T) {
	s := &scenario{t: t, ctx: t.Context(), demo: fleet(t), name: lab.GitRepoName}
	s.watched()
	s.pause(idleFor)
	seen, err := s.demo.Audit(s.mark)
	s.must(err)
	heartbeats := pulse{}
	for server, events := range seen {
		asked := map[string]int{}
		for _, event := range events {
			user := event.User.Username
			if user != agentUser && user != managerUser {
				continue
			}
			if heartbeats.take(server, user, event) {
				continue
			}
			if event.Writes() {
				t.Errorf("%s: %s wrote %s %s while nothing happened", server, user, event.Verb, event.Key())
			}
			if event.Verb != "watch" {
				asked[event.Verb+" "+event.Key()]++
			}
		}
		limit := 0
		if server == lab.HubName {
			limit = 4 // 12 a minute
		}
		if n := total(asked); n > limit {
			t.Errorf("%s: %d requests in %s of silence, want at most %d: %v", server, n, idleFor, limit, asked)
		}
	}
}

// pulse is what one heartbeat of an agent may cost, once: it is due every five
// minutes, and a slow machine meets one within the silence.
type pulse map[string]bool

// take tells whether a request is part of a heartbeat that was not seen yet: the
// agent looks what its cluster is, and the manager writes when it was last seen.
func (p pulse) take(server, user string, event driver.Event) bool {
	key := event.Verb + " " + event.Key()
	facts := user == agentUser && (key == "get /api" || key == "get /apis" || key == "get /version")
	lastSeen := user == managerUser && event.ObjectRef != nil && event.ObjectRef.Resource == "clusters" && event.ObjectRef.Subresource == "status"
	if !facts && !lastSeen || p[server+" "+key] {
		return false
	}
	p[server+" "+key] = true
	return true
}

func total(counts map[string]int) (n int) {
	for _, one := range counts {
		n += one
	}
	return n
}

// A manifest that does not parse is named by file and line, the bundle beside
// it goes on, and nothing is deleted.
func TestABrokenManifest(t *testing.T) {
	s := begin(t, "broken")
	s.must(s.clone.Write(map[string]string{
		"good/one.yaml": settings("e2e-broken", "good", "1"),
		"bad/one.yaml":  settings("e2e-broken", "bad", "1"),
	}))
	s.bundles("e2e-broken", "", "good", "bad")
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.writesOnce(cluster, configMap("e2e-broken", "good"))
	}
	s.must(s.clone.Write(map[string]string{
		"good/one.yaml": settings("e2e-broken", "good", "2"),
		"bad/one.yaml":  settings("e2e-broken", "bad", "2") + "  broken: [\n",
	}))
	s.push("Break one of two")
	for _, cluster := range s.clusterNames() {
		s.awaitValue(cluster, "e2e-broken", "good", "2")
	}
	s.await("file and line on the GitRepo", func() error {
		repo, err := s.repo()
		if err != nil {
			return err
		}
		for _, p := range repo.Status.Problems {
			if p.File == "bad/one.yaml" && p.Line >= 7 && p.Severity == "error" {
				return nil
			}
		}
		return fmt.Errorf("problems are %+v", repo.Status.Problems)
	})
	s.audited()
	for _, cluster := range s.clusterNames() {
		s.awaitValue(cluster, "e2e-broken", "bad", "1")
	}
}

// A branch that does not exist keeps what runs and says so.
func TestAMissingBranch(t *testing.T) {
	s := begin(t, "branchless")
	s.bundles("e2e-branchless", "", ".")
	s.must(s.clone.Write(map[string]string{"one.yaml": settings("e2e-branchless", "one", "1")}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	s.changeRepo(func(r *v1alpha1.GitRepo) { r.Spec.Branch = "mian" })
	s.awaitReason(v1alpha1.ReasonRefNotFound)
	s.changeRepo(func(r *v1alpha1.GitRepo) { r.Spec.Branch = "main" })
	s.awaitReady(commit)
	s.audited()
	if _, err := s.get("eu-1", "e2e-branchless", "one"); apierrors.IsNotFound(err) {
		t.Error("the object is gone")
	}
}

// idleFor is how long the fleet is watched doing nothing.
const idleFor = 20 * time.Second

// pause lets time pass in which nothing is meant to happen.
func (s *scenario) pause(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}
