package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/lab/process"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stopWithin is what the contract allows the demo to end in.
const stopWithin = 15 * time.Second

// Demo is a running `muster demo --headless`.
type Demo struct {
	// Dir is the demo's data directory.
	Dir string
	// Hub is an administrator's client.
	Hub client.WithWatch

	process  *process.Process
	log      string
	clusters map[string]client.WithWatch
	configs  map[string]*rest.Config
}

// Start starts a demo in dir/data with more flags, and returns when it is ready.
func Start(ctx context.Context, dir string, flags ...string) (*Demo, error) {
	muster, err := plane.Binary("", "muster")
	if err != nil {
		return nil, err
	}
	d := &Demo{Dir: filepath.Join(dir, "data"), log: filepath.Join(dir, "demo.log")}
	d.process, err = process.Start(process.Spec{
		Name: "muster demo", Path: muster, Log: d.log,
		Args: append([]string{"demo", "--headless", "--data-dir=" + d.Dir}, flags...),
	})
	if err != nil {
		return nil, err
	}
	if err := d.awaitContract(ctx); err != nil {
		d.process.Stop(stopWithin)
		return nil, err
	}
	if err := d.connect(); err != nil {
		d.process.Stop(stopWithin)
		return nil, err
	}
	return d, nil
}

// awaitContract returns when demo.json is there.
func (d *Demo) awaitContract(ctx context.Context) error {
	for {
		if c, err := lab.ReadContract(d.Dir); err == nil && c.PIDs.Demo == d.PID() {
			return nil
		}
		select {
		case <-d.process.Done():
			return fmt.Errorf("muster demo ended while it started:\n%s", d.process.Tail())
		case <-ctx.Done():
			return fmt.Errorf("await muster demo: %w\n%s", context.Cause(ctx), d.process.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *Demo) connect() error {
	contract, err := d.Contract()
	if err != nil {
		return err
	}
	d.clusters, d.configs = map[string]client.WithWatch{}, map[string]*rest.Config{}
	kubeconfigs := map[string]string{lab.HubName: contract.HubKubeconfig}
	for _, c := range contract.Clusters {
		kubeconfigs[c.Name] = c.Kubeconfig
	}
	scheme, err := lab.Scheme()
	if err != nil {
		return err
	}
	for name, path := range kubeconfigs {
		config, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			return fmt.Errorf("read kubeconfig of %s: %w", name, err)
		}
		config.QPS = -1
		d.configs[name] = config
		if d.clusters[name], err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
			return fmt.Errorf("reach %s: %w", name, err)
		}
	}
	d.Hub = d.clusters[lab.HubName]
	return nil
}

// Contract is demo.json as it is now: process ids change.
func (d *Demo) Contract() (lab.Contract, error) { return lab.ReadContract(d.Dir) }

// Cluster is an administrator's client of an API server, the hub's included.
func (d *Demo) Cluster(name string) client.WithWatch { return d.clusters[name] }

// Config of an API server, the hub's included.
func (d *Demo) Config(name string) *rest.Config { return rest.CopyConfig(d.configs[name]) }

// Servers are the names of all API servers, hub first.
func (d *Demo) Servers() []string {
	contract, err := d.Contract()
	if err != nil {
		return nil
	}
	names := []string{lab.HubName}
	for _, c := range contract.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// PID of the demo itself.
func (d *Demo) PID() int { return d.process.PID() }

// Stop ends the demo as Ctrl-C does; an error if that takes longer than the
// contract allows or does not end well.
func (d *Demo) Stop() error {
	began := time.Now()
	d.process.Stop(stopWithin)
	took := time.Since(began)
	if _, err := d.process.Ended(); err != nil {
		return fmt.Errorf("muster demo ended after %s: %w\n%s", took, err, d.process.Tail())
	}
	return nil
}

// Kill ends the demo without a word.
func (d *Demo) Kill() { d.process.Kill() }

// AwaitRestart returns when a component has another process id than before.
func (d *Demo) AwaitRestart(ctx context.Context, pid func(lab.PIDs) int, before int) error {
	for {
		contract, err := d.Contract()
		if now := pid(contract.PIDs); err == nil && now != before && alive(now) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await another process than %d: %w", before, errors.Join(context.Cause(ctx), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// LogTail is the end of a component's log, such as "manager" or "agent-eu-1".
func (d *Demo) LogTail(name string) string {
	return process.Tail(filepath.Join(d.Dir, "logs", name+".log"))
}

// RSS of a process now and at most so far, in bytes, from /proc.
func RSS(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	field := func(name string) (kib int64) {
		_, rest, _ := bytes.Cut(status, []byte(name+":"))
		// A missing field counts as nothing, which a reader will notice.
		_, _ = fmt.Sscan(string(rest[:min(len(rest), 40)]), &kib)
		return kib << 10
	}
	return field("VmRSS"), field("VmHWM"), nil
}

// ResetPeak makes the peak of RSS start anew.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// descendants returns the process ids below pid.
func descendants(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, e := range entries {
		var id, parent int
		if _, err := fmt.Sscan(e.Name(), &id); err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has just ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var state string
		if _, err := fmt.Sscan(rest, &state, &parent); err == nil && state != "Z" {
			children[parent] = append(children[parent], id)
		}
	}
	var all []int
	for next := children[pid]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all, nil
}

// Descendants are all processes that the demo has started, directly or not.
func (d *Demo) Descendants() ([]int, error) { return descendants(d.PID()) }

// Left returns those of pids that are still there.
func Left(pids []int) (left []int) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			left = append(left, pid)
		}
	}
	return left
}
