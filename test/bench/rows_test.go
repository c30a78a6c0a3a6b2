package bench_test

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// How often each work is repeated; the median is what counts.
const (
	editRounds = 7
	oneRounds  = 5
	eachRounds = 3
	newRounds  = 3
	driftRound = 5
)

// bundles is the number of bundles in the large case.
const bundles = 50

// everywhere is the fleet.yaml of all rows that do not say otherwise.
const everywhere = "rollout:\n  all: true\n"

// oneLine: one line edited in a one-bundle repository, and requests for that.
func (b *bench) oneLine() {
	for _, name := range []string{"one", "plain"} {
		options := map[string]string{"one": everywhere}[name]
		r := b.repository(name, 1, options)
		r.fill("0")
		r.begin()
		rounds := b.edits(r, editRounds, func(value string) { r.edit(0, 3, value) })
		b.remove(r)
		if name == "plain" {
			b.report.add(b.row("one line in a one-bundle repository, default rollout: push to applied"), rounds.applied())
			continue
		}
		b.report.add(b.row("one line in a one-bundle repository: push to applied"), rounds.applied())
		b.report.add(b.row("one line in a one-bundle repository: push to status"), rounds.status())
		b.report.add(b.row("one line in a one-bundle repository: hub requests"), rounds.hub())
		b.report.add(b.row("one line in a one-bundle repository: downstream requests"), rounds.downstream())
	}
}

// round is one push with what it took; rounds are its repetitions.
type round struct {
	times
	hub, downstream tally
	cpu             cpu
	load            string
}

type rounds []round

func (rs rounds) applied() measure {
	return rs.seconds(func(r round) time.Duration { return r.times.applied })
}
func (rs rounds) status() measure {
	return rs.seconds(func(r round) time.Duration { return r.times.status })
}

func (rs rounds) seconds(of func(round) time.Duration) measure {
	last := rs[len(rs)-1]
	m := measure{unit: "s", note: fmt.Sprintf("of it git push %.3f s; %s; load %s", last.push.Seconds(), last.cpu, last.load)}
	for _, r := range rs {
		m.samples = append(m.samples, of(r).Seconds())
	}
	return m
}

func (rs rounds) hub() measure { return rs.requests(func(r round) tally { return r.hub }) }
func (rs rounds) downstream() measure {
	return rs.requests(func(r round) tally { return r.downstream })
}

// requests notes what the last round consisted of.
func (rs rounds) requests(of func(round) tally) measure {
	m := measure{note: of(rs[len(rs)-1]).String()}
	for _, r := range rs {
		m.samples = append(m.samples, float64(of(r).requests))
	}
	return m
}

// edits pushes n commits, each after everybody has come to rest.
func (b *bench) edits(r *repository, n int, edit func(value string)) rounds {
	b.t.Helper()
	var all rounds
	for i := range n {
		edit(fmt.Sprintf("edit %d", i))
		all = append(all, b.round(r, fmt.Sprintf("Edit %d", i)))
	}
	return all
}

func (b *bench) round(r *repository, message string) round {
	b.t.Helper()
	from, before := b.open(), b.cpu()
	took := r.push(message)
	spent := b.cpu().since(before)
	hub, downstream := b.close(from)
	return round{times: took, hub: hub, downstream: downstream, cpu: spent, load: load()}
}

// nothing: a commit that changes no bundle.
func (b *bench) nothing() {
	r := b.repository("nothing", 3, everywhere)
	r.fill("0")
	r.begin()
	rounds := b.edits(r, oneRounds, func(value string) { b.must(r.clone.Write(map[string]string{"README.md": value})) })
	b.remove(r)
	b.report.add(b.row("a commit that changes no bundle: hub writes"), rounds.writes(func(r round) tally { return r.hub }))
	b.report.add(b.row("a commit that changes no bundle: downstream requests"), rounds.downstream())
}

func (rs rounds) writes(of func(round) tally) measure {
	m := measure{note: of(rs[len(rs)-1]).String()}
	for _, r := range rs {
		m.samples = append(m.samples, float64(of(r).writes))
	}
	return m
}

// drift: an object deleted on a cluster, put back by one bundle and told by another.
func (b *bench) drift() {
	corrected := b.repository("corrected", 1, everywhere+"correctDrift:\n  enabled: true\n")
	corrected.fill("0")
	corrected.begin()
	m := measure{unit: "s"}
	for i := range driftRound {
		m.samples = append(m.samples, b.deleted(corrected, i, func(key string) time.Time {
			return b.seen.awaitObjects(b, map[string]string{key: "0"})
		}))
	}
	b.report.add(b.row("object deleted on a cluster: corrected"), m)
	b.remove(corrected)

	told := b.repository("told", 1, everywhere+"correctDrift:\n  enabled: false\n")
	told.fill("0")
	told.begin()
	m = measure{unit: "s", note: "correctDrift.enabled: false"}
	for i := range driftRound {
		m.samples = append(m.samples, b.deleted(told, i, func(string) time.Time { return b.seen.awaitNotReady(b, told) }))
		b.putBack(told, i)
	}
	b.report.add(b.row("object deleted on a cluster: reported"), m)
	b.remove(told)
}

// deleted deletes one object on the first cluster and returns the seconds until await saw it.
func (b *bench) deleted(r *repository, object int, await func(key string) time.Time) float64 {
	b.t.Helper()
	name := fmt.Sprintf("b-0-%d", object)
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace(), Name: name}}
	key := o.Namespace + "/" + name
	began := time.Now()
	b.must(b.demo.Cluster(b.clusters[0]).Delete(b.ctx, o))
	b.seen.awaitGone(b, b.clusters[0]+"/"+key, began)
	took := await(key).Sub(began)
	b.settle()
	return took.Seconds()
}

// putBack ends the drift by a commit.
func (b *bench) putBack(r *repository, object int) {
	b.t.Helper()
	r.edit(0, object, fmt.Sprintf("back %d", object))
	r.push("Put back")
	b.settle()
}

// fifty: 50 new bundles, one line in one of them, one line in each.
func (b *bench) fifty() {
	var fresh rounds
	var peak, idle measure
	var r *repository
	for i := range newRounds {
		if r != nil {
			b.remove(r)
		}
		r = b.repository(fmt.Sprintf("many-%d", i), bundles, everywhere)
		r.begin()
		r.fill("0")
		fresh = append(fresh, b.round(r, "Fifty bundles"))
		if i == 0 {
			idle, peak = b.memory()
		}
	}
	b.report.add(b.row("50 bundles new: last object"), fresh.applied())
	b.report.add(b.row("50 bundles new: last status"), fresh.status())
	b.report.add(b.row("50 bundles new: hub requests"), fresh.hub())
	b.report.add(b.row("50 bundles new: downstream requests"), fresh.downstream())
	b.report.add(b.row("agent RSS after 50 new bundles"), idle)
	b.report.add(b.row("agent RSS, peak"), peak)

	one := b.edits(r, oneRounds, func(value string) { r.edit(17, 3, value) })
	b.report.add(b.row("one line in 1 of 50 bundles: push to applied"), one.applied())
	b.report.add(b.row("one line in 1 of 50 bundles: hub requests"), one.hub())
	b.report.add(b.row("one line in 1 of 50 bundles: downstream requests"), one.downstream())

	each := b.edits(r, eachRounds, func(value string) {
		for bundle := range bundles {
			r.edit(bundle, 5, value)
		}
	})
	b.report.add(b.row("one line in each of 50 bundles: last object"), each.applied())
	b.report.add(b.row("one line in each of 50 bundles: last status"), each.status())
	b.report.add(b.row("one line in each of 50 bundles: hub requests"), each.hub())
	b.report.add(b.row("one line in each of 50 bundles: downstream requests"), each.downstream())
}

// remove deletes a GitRepo, approves what that loses, and waits until its
// bundles and objects are gone.
func (b *bench) remove(r *repository) {
	b.t.Helper()
	repo := &v1alpha1.GitRepo{ObjectMeta: metav1.ObjectMeta{Namespace: lab.Workspace, Name: r.name}}
	b.must(b.demo.Hub.Delete(b.ctx, repo))
	hold := b.seen.awaitHold(b, r)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationApprove, hold)
	b.must(b.demo.Hub.Patch(b.ctx, repo, client.RawPatch(types.MergePatchType, patch)))
	b.seen.awaitRemoved(b, r)
	b.settle()
}

// awaitSilence returns when the agent of a cluster has asked it something and
// then nothing for a while.
func (b *bench) awaitSilence(cluster string, from ledger) {
	b.t.Helper()
	deadline := time.Now().Add(settleWithin)
	for last, since := 0, time.Now(); last == 0 || time.Since(since) < 2*quietFor; time.Sleep(100 * time.Millisecond) {
		audit, err := b.demo.Audit(from.mark)
		b.must(err)
		n := 0
		for _, e := range audit[cluster] {
			if e.User.Username == agentUser {
				n++
			}
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the agent of %s still asks after %s: %d requests", cluster, settleWithin, n)
		}
	}
}

// memory of all agents now and at most: one sample per agent.
func (b *bench) memory() (now, peak measure) {
	b.t.Helper()
	contract, err := b.demo.Contract()
	b.must(err)
	for _, cluster := range b.clusters {
		rss, most, err := driver.RSS(contract.PIDs.Agents[cluster])
		b.must(err)
		now.samples = append(now.samples, mib(rss))
		peak.samples = append(peak.samples, mib(most))
	}
	manager, managerMost, err := driver.RSS(contract.PIDs.Manager)
	b.must(err)
	now.unit, peak.unit = "MiB", "MiB"
	now.note = fmt.Sprintf("manager %.0f MiB", mib(manager))
	peak.note = fmt.Sprintf("manager %.0f MiB", mib(managerMost))
	return now, peak
}

func mib(bytes int64) float64 { return float64(bytes>>10) / 1024 }

// idleFor is how long the fleet is watched doing nothing.
const idleFor = 75 * time.Second

// idle: what is asked of the hub while nothing happens.
func (b *bench) idle() {
	b.settle()
	from := b.open()
	select {
	case <-b.ctx.Done():
	case <-time.After(idleFor):
	}
	hub, downstream := b.count(from)
	perMinute := func(n int) measure { return measure{samples: []float64{float64(n) / idleFor.Minutes()}} }
	requests, writes, below := perMinute(hub.requests), perMinute(hub.writes), perMinute(downstream.requests)
	requests.note, below.note = hub.String(), downstream.String()
	b.report.add(b.row("idle, %d bundles: hub requests per minute", bundles+1), requests)
	b.report.add(b.row("idle, %d bundles: hub writes per minute", bundles+1), writes)
	b.report.add(b.row("idle, %d bundles: downstream requests per minute", bundles+1), below)
	now, _ := b.memory()
	b.report.add(b.row("agent RSS, idle"), now)
}

// restart: what an agent asks of its cluster when it was killed.
func (b *bench) restart() {
	cluster := b.clusters[0]
	pid := func(p lab.PIDs) int { return p.Agents[cluster] }
	contract, err := b.demo.Contract()
	b.must(err)
	before := pid(contract.PIDs)
	from := b.open()
	b.must(syscall.Kill(before, syscall.SIGKILL))
	ctx, cancel := context.WithTimeout(b.ctx, waitAtMost)
	defer cancel()
	b.must(b.demo.AwaitRestart(ctx, pid, before))
	b.awaitSilence(cluster, from)
	_, downstream := b.close(from)
	b.report.add(b.row("agent restart, %d bundles: downstream requests", bundles+1), measure{samples: []float64{float64(downstream.requests)}, note: downstream.String()})
	b.report.add(b.row("agent restart, %d bundles: downstream writes", bundles+1), measure{samples: []float64{float64(downstream.writes)}})
	now, _ := b.memory()
	b.report.add(b.row("agent RSS, after its restart"), now)
}
