package bench_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
)

// Who the manager and the agents are in audit logs, by the charts' accounts.
const (
	managerUser = "system:serviceaccount:muster-system:muster-manager"
	agentUser   = "system:serviceaccount:muster-agent:muster-agent"
)

// ledger is a moment from which requests are counted.
type ledger struct {
	mark    driver.Mark
	metrics map[string]driver.Requests
}

// tally is what Muster asked of the API servers of one side since a moment.
type tally struct {
	// requests by the audit log, which knows who asked; watches count when
	// they are opened. No leases.
	requests int
	// metered is the same by the servers' own metric, less what the audit log
	// ascribes to others: a check on the log, exact but for requests of others
	// under way at one end of the time.
	metered int
	writes  int
	leases  int
	// by verb and resource, from the audit log.
	by driver.Requests
}

// open starts counting; nothing may be under way.
func (b *bench) open() ledger {
	b.t.Helper()
	l := ledger{metrics: map[string]driver.Requests{}}
	for _, server := range b.demo.Servers() {
		var err error
		l.metrics[server], err = b.demo.Requests(b.ctx, server)
		b.must(err)
	}
	var err error
	l.mark, err = b.demo.Mark()
	b.must(err)
	return l
}

// close waits until everybody has come to rest and returns what the manager
// asked of the hub and what the agents asked of all their clusters.
func (b *bench) close(l ledger) (hub, downstream tally) {
	b.t.Helper()
	b.settle()
	return b.count(l)
}

// count returns the same without waiting.
func (b *bench) count(l ledger) (hub, downstream tally) {
	b.t.Helper()
	audit, err := b.demo.Audit(l.mark)
	b.must(err)
	hub.by, downstream.by = driver.Requests{}, driver.Requests{}
	for _, server := range b.demo.Servers() {
		now, err := b.demo.Requests(b.ctx, server)
		b.must(err)
		if server == lab.HubName {
			hub.add(now.Since(l.metrics[server]), audit[server])
			continue
		}
		downstream.add(now.Since(l.metrics[server]), audit[server])
	}
	b.compare("hub", hub)
	b.compare("downstream", downstream)
	return hub, downstream
}

// compare fails if the audit log and the metric disagree by more than what
// others may have had under way.
func (b *bench) compare(side string, t tally) {
	b.t.Helper()
	if tolerance := 10 + t.requests/20; max(t.metered-t.requests, t.requests-t.metered) > tolerance {
		b.t.Errorf("%s: the audit log and apiserver_request_total disagree: %s", side, t)
	}
}

// add counts one API server. Watches are told apart, since the metric counts
// them when they end; leases since they tick whatever happens.
func (t *tally) add(metric driver.Requests, audit []driver.Event) {
	for key, n := range metric {
		if !strings.HasPrefix(key, "WATCH ") && !strings.Contains(key, " leases.coordination.k8s.io") {
			t.metered += n
		}
	}
	for _, e := range audit {
		ours := e.User.Username == managerUser || e.User.Username == agentUser
		lease := e.ObjectRef != nil && e.ObjectRef.Resource == "leases"
		switch {
		case ours && lease:
			t.leases++
		case ours:
			t.ours(e)
		case !lease && e.Verb != "watch" && !measuring(e):
			t.metered--
		}
	}
}

// ours counts a request of the manager or an agent.
func (t *tally) ours(e driver.Event) {
	t.by[e.Verb+" "+kind(e)]++
	t.requests++
	if e.Writes() {
		t.writes++
	}
	if e.Verb == "watch" {
		t.metered++
	}
}

// measuring tells the requests that driver.Requests leaves out.
func measuring(e driver.Event) bool {
	return strings.HasPrefix(e.RequestURI, "/metrics") || strings.HasPrefix(e.RequestURI, "/readyz")
}

// kind is what a request was about, without the object's name.
func kind(e driver.Event) string {
	if e.ObjectRef == nil {
		path, _, _ := strings.Cut(e.RequestURI, "?")
		return path
	}
	resource, _, _ := strings.Cut(e.Key(), "//")
	if e.ObjectRef.Namespace != "" || e.ObjectRef.Name != "" {
		resource = strings.TrimSuffix(e.Key(), "/"+e.ObjectRef.Namespace+"/"+e.ObjectRef.Name)
		resource = strings.TrimSuffix(resource, "//"+e.ObjectRef.Name)
	}
	return resource
}

func (t tally) String() string {
	return fmt.Sprintf("%d requests (%d by the metric), %d writes, %d leases: %s", t.requests, t.metered, t.writes, t.leases, t.by)
}

// quietFor is how long manager and agents must be silent to count as done,
// settleWithin how long that may take.
const (
	quietFor     = 1500 * time.Millisecond
	settleWithin = time.Minute
)

// settle returns when neither the manager nor an agent has written for a while.
func (b *bench) settle() {
	b.t.Helper()
	mark, err := b.demo.Mark()
	b.must(err)
	deadline := time.Now().Add(settleWithin)
	for last, since := 0, time.Now(); time.Since(since) < quietFor; time.Sleep(100 * time.Millisecond) {
		n, newest := b.written(mark)
		if n != last {
			last, since = n, time.Now()
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("manager and agents still write after %s, last: %s", settleWithin, newest)
		}
	}
}

func (b *bench) written(mark driver.Mark) (n int, newest string) {
	b.t.Helper()
	audit, err := b.demo.Audit(mark)
	b.must(err)
	for server, events := range audit {
		for _, e := range events {
			if e.Writes() && (e.User.Username == managerUser || e.User.Username == agentUser) {
				n++
				newest = server + ": " + e.Verb + " " + e.Key()
			}
		}
	}
	return n, newest
}
