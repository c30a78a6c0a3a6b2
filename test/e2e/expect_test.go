package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
)

// Who the manager and the agents are, by the charts' accounts.
const (
	managerUser = "system:serviceaccount:muster-system:muster-manager"
	agentUser   = "system:serviceaccount:muster-agent:muster-agent"
)

// others are who else lives in a lab: people, kubelets, Kubernetes itself.
func others() []string {
	return []string{"lab-admin", "lab-git", "lab-kwok", "system:apiserver", "system:kube-controller-manager", "system:anonymous"}
}

// expectation is what a scenario means to happen, by API server and audit key.
type expectation struct {
	writes  map[string]map[string]int  // at most this often, at least once
	may     map[string]map[string]bool // any number of times
	deletes map[string]map[string]bool // once
	hub     []string                   // prefixes of keys the manager may write besides its own
}

func newExpectation() *expectation {
	return &expectation{writes: map[string]map[string]int{}, may: map[string]map[string]bool{}, deletes: map[string]map[string]bool{}}
}

// writesOnce says that the agent of a server applies each of keys exactly once.
func (e *expectation) writesOnce(server string, keys ...string) {
	for _, key := range keys {
		put(e.writes, server, key, 1)
	}
}

// mayWrite says that the agent of a server may apply keys, however often.
func (e *expectation) mayWrite(server string, keys ...string) {
	for _, key := range keys {
		put(e.may, server, key, true)
	}
}

// deletesOnce says that the agent of a server deletes each of keys.
func (e *expectation) deletesOnce(server string, keys ...string) {
	for _, key := range keys {
		put(e.deletes, server, key, true)
	}
}

// managerMayWrite says that the manager writes objects of the hub whose keys
// start so; its own namespace and the status of Clusters always count as meant.
func (e *expectation) managerMayWrite(prefixes ...string) { e.hub = append(e.hub, prefixes...) }

func put[V any](m map[string]map[string]V, server, key string, v V) {
	if m[server] == nil {
		m[server] = map[string]V{}
	}
	m[server][key] = v
}

// assert compares what the audit logs say since mark with what was meant.
func (e *expectation) assert(t *testing.T, d *driver.Demo, mark driver.Mark) {
	t.Helper()
	seen, err := d.Audit(mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range d.Servers() {
		assertIdentities(t, server, seen[server])
		if server == lab.HubName {
			e.assertHub(t, seen[server])
			continue
		}
		e.assertCluster(t, server, seen[server])
	}
}

// assertIdentities: no request carried another identity than those of a lab.
func assertIdentities(t *testing.T, server string, events []driver.Event) {
	t.Helper()
	strangers := map[string]string{}
	for _, event := range events {
		user := event.User.Username
		ours := (server == lab.HubName && user == managerUser) || (server != lab.HubName && user == agentUser)
		if !ours && !slices.Contains(others(), user) {
			strangers[user] = event.Verb + " " + event.Key()
		}
		if event.ImpersonatedUser != nil {
			strangers[user+" as "+event.ImpersonatedUser.Username] = event.Verb + " " + event.Key()
		}
		if event.ResponseStatus.Code == 403 && ours {
			strangers[user+" without the right"] = event.Verb + " " + event.Key()
		}
	}
	if len(strangers) > 0 {
		t.Errorf("%s saw requests of others: %v", server, strangers)
	}
}

func (e *expectation) assertCluster(t *testing.T, server string, events []driver.Event) {
	t.Helper()
	writes, deletes := map[string]int{}, map[string]bool{}
	for _, event := range events {
		key := event.Key()
		switch {
		case event.User.Username != agentUser || !event.Writes() || ownState(event):
		case event.Deletes():
			deletes[key] = true
		case !e.may[server][key]:
			writes[key]++
		}
	}
	if diff := cmp.Diff(orEmpty(e.writes[server]), writes); diff != "" {
		t.Errorf("writes of the agent of %s (-want +got):\n%s", server, diff)
	}
	if diff := cmp.Diff(orEmpty(e.deletes[server]), deletes); diff != "" {
		t.Errorf("deletes by the agent of %s (-want +got):\n%s", server, diff)
	}
}

// ownState is what an agent keeps in its own namespace, and Events.
func ownState(event driver.Event) bool {
	o := event.ObjectRef
	return o != nil && (o.Resource == "events" || (o.Namespace == lab.AgentNamespace && o.Resource == "secrets"))
}

func (e *expectation) assertHub(t *testing.T, events []driver.Event) {
	t.Helper()
	unmeant := map[string]int{}
	for _, event := range events {
		if event.User.Username == managerUser && event.Writes() && !e.meantOnHub(event) {
			unmeant[event.Verb+" "+event.Key()]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(unmeant)) {
		t.Errorf("the manager wrote what the scenario does not touch: %s (%d times)", what, unmeant[what])
	}
}

func (e *expectation) meantOnHub(event driver.Event) bool {
	o := event.ObjectRef
	if o == nil {
		return false
	}
	own := o.Namespace == lab.ManagerNamespace && (o.Resource == "secrets" || o.Resource == "configmaps" ||
		o.Resource == "assignments" || o.Resource == "clusterreports" || o.Resource == "rollouts" || o.Resource == "leases")
	if own || o.Resource == "events" || (o.Resource == "clusters" && o.Subresource == "status") {
		return true
	}
	for _, prefix := range e.hub {
		if strings.HasPrefix(event.Key(), prefix) {
			return true
		}
	}
	return false
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// quietFor is how long manager and agents must be silent to count as done,
// settleWithin how long that may take.
const (
	quietFor     = 1200 * time.Millisecond
	settleWithin = 20 * time.Second
)

// settle returns when neither the manager nor an agent has written for a
// while: after a change everybody comes to rest.
func settle(t *testing.T, d *driver.Demo) {
	t.Helper()
	mark, err := d.Mark()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(settleWithin)
	last, since := 0, time.Now()
	for {
		n, newest := writesSince(t, d, mark)
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) >= quietFor {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("manager and agents still write after %s, last: %s", settleWithin, newest)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func writesSince(t *testing.T, d *driver.Demo, mark driver.Mark) (n int, newest string) {
	t.Helper()
	seen, err := d.Audit(mark)
	if err != nil {
		t.Fatal(err)
	}
	for server, events := range seen {
		for _, event := range events {
			if event.Writes() && (event.User.Username == managerUser || event.User.Username == agentUser) {
				n++
				newest = fmt.Sprintf("%s: %s %s", server, event.Verb, event.Key())
			}
		}
	}
	return n, newest
}
