package bench_test

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waitAtMost bounds every wait, pollEvery is how often a wait looks at what the
// watches have brought; moments are taken when an event arrives.
const (
	waitAtMost = 3 * time.Minute
	pollEvery  = 5 * time.Millisecond
)

// sight is what the bench's own watches have seen, and when.
type sight struct {
	mu      sync.Mutex // guards all below
	objects map[string]sighting[string]
	bundles map[string]sighting[*v1alpha1.Bundle]
	repos   map[string]sighting[*v1alpha1.GitRepo]
	gone    map[string]time.Time
}

type sighting[T any] struct {
	value T
	at    time.Time
}

// look starts the watches: ConfigMaps of every cluster, Bundles and GitRepos.
func (b *bench) look() *sight {
	s := &sight{
		objects: map[string]sighting[string]{}, gone: map[string]time.Time{},
		bundles: map[string]sighting[*v1alpha1.Bundle]{}, repos: map[string]sighting[*v1alpha1.GitRepo]{},
	}
	for _, cluster := range b.clusters {
		b.watch(cluster, &corev1.ConfigMapList{}, func(e watch.Event) { s.object(cluster, e) })
	}
	b.watch(lab.HubName, &v1alpha1.BundleList{}, s.hub)
	b.watch(lab.HubName, &v1alpha1.GitRepoList{}, s.hub)
	return s
}

// watch feeds see until the test ends; a watch that the server ends early is an error of the bench.
func (b *bench) watch(server string, list client.ObjectList, see func(watch.Event)) {
	b.t.Helper()
	events, err := b.demo.Cluster(server).Watch(b.ctx, list)
	b.must(err)
	go func() {
		for e := range events.ResultChan() {
			see(e)
		}
		if b.ctx.Err() == nil {
			b.t.Errorf("the bench's own watch on %s has ended", server)
		}
	}()
}

func (s *sight) object(cluster string, e watch.Event) {
	now := time.Now()
	o, ok := e.Object.(*corev1.ConfigMap)
	if !ok {
		return
	}
	key := cluster + "/" + o.Namespace + "/" + o.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Type == watch.Deleted {
		delete(s.objects, key)
		s.gone[key] = now
		return
	}
	if s.objects[key].value != o.Data["value"] {
		s.objects[key] = sighting[string]{o.Data["value"], now}
	}
}

func (s *sight) hub(e watch.Event) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := e.Object.(type) {
	case *v1alpha1.Bundle:
		keep(s.bundles, o.Name, o, now, e.Type)
	case *v1alpha1.GitRepo:
		keep(s.repos, o.Name, o, now, e.Type)
	}
}

func keep[T any](m map[string]sighting[T], name string, value T, now time.Time, what watch.EventType) {
	if what == watch.Deleted {
		delete(m, name)
		return
	}
	m[name] = sighting[T]{value, now}
}

// await polls look, under the lock, until it returns a moment.
func (s *sight) await(b *bench, what string, look func() (time.Time, error)) time.Time {
	b.t.Helper()
	deadline := time.Now().Add(waitAtMost)
	for {
		s.mu.Lock()
		at, err := look()
		s.mu.Unlock()
		if err == nil {
			return at
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %s for %s: %v\nmanager:\n%s", waitAtMost, what, err, b.demo.LogTail("manager"))
		}
		time.Sleep(pollEvery)
	}
}

// awaitObjects returns when the last of the objects got its value on the last cluster.
func (s *sight) awaitObjects(b *bench, values map[string]string) time.Time {
	b.t.Helper()
	return s.await(b, "objects", func() (last time.Time, err error) {
		for key, want := range values {
			for _, cluster := range b.clusters {
				got, ok := s.objects[cluster+"/"+key]
				if !ok || got.value != want {
					return last, fmt.Errorf("%s/%s is %q, want %q", cluster, key, got.value, want)
				}
				last = later(last, got.at)
			}
		}
		return last, nil
	})
}

// awaitReady returns when the GitRepo was at commit, and it and all its
// Bundles Ready on every cluster for the generation they are at.
func (s *sight) awaitReady(b *bench, r *repository, commit string) time.Time {
	b.t.Helper()
	return s.await(b, "GitRepo "+r.name, func() (time.Time, error) {
		repo, ok := s.repos[r.name]
		switch {
		case !ok || repo.value.Status.Commit != commit:
			return time.Time{}, fmt.Errorf("the GitRepo is not at commit %s", commit)
		case !ready(repo.value.Status.Conditions, repo.value.Generation, repo.value.Status.Summary):
			return time.Time{}, fmt.Errorf("the GitRepo is not Ready: %+v", repo.value.Status)
		}
		last := repo.at
		for name, one := range s.bundles {
			if one.value.Labels[v1alpha1.LabelGitRepo] != r.name {
				continue
			}
			if one.value.Status.Summary.Desired != len(b.clusters) || !ready(one.value.Status.Conditions, one.value.Generation, one.value.Status.Summary) {
				return last, fmt.Errorf("Bundle %s is not Ready: %+v", name, one.value.Status)
			}
			last = later(last, one.at)
		}
		return last, nil
	})
}

// awaitNotReady returns when the hub said that a bundle of the repository is not Ready somewhere.
func (s *sight) awaitNotReady(b *bench, r *repository) time.Time {
	b.t.Helper()
	return s.await(b, "a Bundle that is not Ready", func() (time.Time, error) {
		for _, one := range s.bundles {
			status := one.value.Status
			if one.value.Labels[v1alpha1.LabelGitRepo] == r.name && status.Summary.Ready < status.Summary.Desired {
				return one.at, nil
			}
		}
		return time.Time{}, fmt.Errorf("all Bundles of %s are Ready", r.name)
	})
}

// awaitGone returns when an object was seen to go after a moment.
func (s *sight) awaitGone(b *bench, key string, after time.Time) time.Time {
	b.t.Helper()
	return s.await(b, key+" to go", func() (time.Time, error) {
		if at := s.gone[key]; at.After(after) {
			return at, nil
		}
		return time.Time{}, fmt.Errorf("it has not gone")
	})
}

// awaitHold returns the id under which the GitRepo holds the loss of its bundles.
func (s *sight) awaitHold(b *bench, r *repository) (id string) {
	b.t.Helper()
	s.await(b, "GitRepo "+r.name+" to hold its losses", func() (time.Time, error) {
		if repo, ok := s.repos[r.name]; ok && len(repo.value.Status.Holds) > 0 {
			id = repo.value.Status.Holds[0].ID
			return repo.at, nil
		}
		return time.Time{}, errors.New("it holds nothing")
	})
	return id
}

// awaitRemoved returns when the repository's Bundles and objects have gone everywhere.
func (s *sight) awaitRemoved(b *bench, r *repository) time.Time {
	b.t.Helper()
	return s.await(b, r.name+" to go", func() (last time.Time, err error) {
		for name, one := range s.bundles {
			if one.value.Labels[v1alpha1.LabelGitRepo] == r.name {
				return last, fmt.Errorf("Bundle %s is there", name)
			}
		}
		for key := range r.values {
			for _, cluster := range b.clusters {
				if _, there := s.objects[cluster+"/"+key]; there {
					return last, fmt.Errorf("%s/%s is there", cluster, key)
				}
				last = later(last, s.gone[cluster+"/"+key])
			}
		}
		return last, nil
	})
}

func ready(conditions []metav1.Condition, generation int64, summary v1alpha1.Summary) bool {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return c != nil && c.Status == "True" && c.ObservedGeneration == generation && summary.Ready == summary.Desired
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
