package plane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-dev/muster/internal/lab/process"
	"golang.org/x/sync/errgroup"
)

// Options say what to start. Dir and Servers are required.
type Options struct {
	// Dir holds everything: etcd/, logs/, audit/, kubeconfig/, planes/. It is not removed.
	Dir string
	// Bin is the directory of muster-controlplane; empty looks where Binary does.
	Bin string
	// Servers are the names of the API servers.
	Servers []string
	// ControllerManager starts one for each server.
	ControllerManager bool
	// Lean names servers that run no workloads: their controller-manager has
	// only namespaces, garbage collection and accounts.
	Lean []string
	// Audit makes each server write an audit log at level Metadata.
	Audit bool
	// Progress is told what is being done, in words; may be nil.
	Progress func(message string)
}

// Plane is a running etcd with its API servers.
type Plane struct {
	etcd    *process.Process
	etcdURL string
	servers map[string]*Server
	names   []string
}

// Start returns when every server answers /readyz. If it fails, nothing is left
// running.
func Start(ctx context.Context, o Options) (*Plane, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	binary, err := Binary(o.Bin, "muster-controlplane")
	if err != nil {
		return nil, err
	}
	p := &Plane{servers: map[string]*Server{}, names: o.Servers}
	if err := p.start(ctx, binary, o); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Plane) start(ctx context.Context, binary string, o Options) (err error) {
	for _, sub := range []string{"logs", "audit", "kubeconfig"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, sub), 0o700); err != nil {
			return fmt.Errorf("prepare %s: %w", o.Dir, err)
		}
	}
	o.Progress("starting etcd")
	if p.etcd, p.etcdURL, err = startEtcd(binary, o.Dir); err != nil {
		return err
	}
	var starting errgroup.Group
	for _, name := range o.Servers {
		s, err := newServer(binary, o.Dir, name, o.Audit)
		if err != nil {
			return err
		}
		p.servers[name] = s
	}
	for _, name := range o.Servers {
		starting.Go(func() error { return p.startServer(ctx, p.servers[name], o) })
	}
	return starting.Wait()
}

// startServer needs not wait for etcd: an API server retries until it answers.
func (p *Plane) startServer(ctx context.Context, s *Server, o Options) error {
	o.Progress("starting API server " + s.Name)
	if err := s.start(p.etcdURL); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	o.Progress("API server " + s.Name + " is ready")
	if !o.ControllerManager {
		return nil
	}
	for _, lean := range o.Lean {
		if lean == s.Name {
			return s.startControllerManager(hubControllers)
		}
	}
	return s.startControllerManager(workloadControllers)
}

// Server returns a server by name; it panics on a name that was not asked for.
func (p *Plane) Server(name string) *Server {
	s, ok := p.servers[name]
	if !ok {
		panic(fmt.Sprintf("plane has no API server %q, only %v", name, p.names))
	}
	return s
}

// Servers returns all servers in the order they were asked for.
func (p *Plane) Servers() []*Server {
	all := make([]*Server, 0, len(p.names))
	for _, name := range p.names {
		all = append(all, p.servers[name])
	}
	return all
}

// EtcdPID is etcd's process id, EtcdURL where it listens for clients.
func (p *Plane) EtcdPID() int { return p.etcd.PID() }

// EtcdURL is where etcd listens for clients.
func (p *Plane) EtcdURL() string { return p.etcdURL }

// Alive returns an error naming the first process that has ended, if one has.
func (p *Plane) Alive() error {
	if ended, err := p.etcd.Ended(); ended {
		return fmt.Errorf("etcd ended: %v", err)
	}
	for _, s := range p.Servers() {
		if ended, err := s.api.Ended(); ended {
			return fmt.Errorf("API server %s ended: %v; its log ends with:\n%s", s.Name, err, s.api.Tail())
		}
	}
	return nil
}

// etcdGrace is how long etcd may take to close its files.
const etcdGrace = 2 * time.Second

// Stop ends every process, API servers first, and returns when they are gone.
func (p *Plane) Stop() {
	var stopping errgroup.Group
	for _, s := range p.servers {
		stopping.Go(func() error { s.stop(); return nil })
	}
	// The group's functions return no errors.
	_ = stopping.Wait()
	if p.etcd != nil {
		p.etcd.Stop(etcdGrace)
	}
}
