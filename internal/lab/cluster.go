package lab

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"sync"

	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/lab/process"
)

//go:embed kwok/stages.yaml
var stages []byte

// startCluster makes one cluster whole: a node, somebody who plays its kubelet
// and scheduler, and an agent that joins with a real token. shared guards the
// lab's lists, since clusters start side by side.
func (l *Lab) startCluster(ctx, inner context.Context, c Cluster, shared *sync.Mutex) error {
	kubelet, err := l.startKubelet(ctx, inner, c.Name)
	if kubelet != nil {
		shared.Lock()
		l.kwoks = append(l.kwoks, kubelet)
		shared.Unlock()
	}
	if err != nil {
		return err
	}
	token, err := MakeToken(ctx, l.hub, l.gateway, Workspace, c.Name)
	if err != nil {
		return err
	}
	agent, err := l.startAgent(ctx, inner, c.Name, token)
	if err != nil {
		return err
	}
	shared.Lock()
	l.agents[c.Name] = agent
	shared.Unlock()
	return nil
}

// startKubelet starts kwok and the binder on a fresh node.
func (l *Lab) startKubelet(ctx, inner context.Context, name string) (*process.Process, error) {
	server := l.plane.Server(name)
	binding, err := newBinder(server.Config())
	if err != nil {
		return nil, err
	}
	if err := binding.addNode(ctx); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	l.running.Go(func() { binding.run(inner) })
	kubeconfig, config := l.path("kubeconfig", "kwok-"+name), l.path("planes", name, "stages.yaml")
	if err := server.WriteKubeconfig(kubeconfig, "lab-kwok", plane.MastersGroup); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, stages, 0o600); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	return process.Start(process.Spec{
		Name: "kwok of " + name, Path: l.programs.kwok, Log: l.log("kwok-" + name),
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--config=" + config, "--manage-all-nodes=true",
			"--node-lease-duration-seconds=0", "--server-address=",
		},
	})
}

// startAgent starts the agent of a cluster and keeps it running.
func (l *Lab) startAgent(ctx, inner context.Context, name, token string) (*component, error) {
	server := l.plane.Server(name)
	kubeconfig, tokenFile := l.path("kubeconfig", "agent-"+name), l.path("planes", name, "join-token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		return nil, fmt.Errorf("write join token of %s: %w", name, err)
	}
	c, err := newClient(server.Config())
	if err != nil {
		return nil, err
	}
	if err := ensureNamespace(ctx, c, AgentNamespace, nil); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	if err := agentAccess().grant(ctx, server, kubeconfig); err != nil {
		return nil, err
	}
	l.say("starting the agent of " + name)
	return l.supervised(inner, "agent of "+name, process.Spec{
		Name: "agent of " + name, Path: l.programs.agent, Log: l.log("agent-" + name),
		Args: []string{"--kubeconfig=" + kubeconfig, "--namespace=" + AgentNamespace, "--token-file=" + tokenFile},
	})
}

// agentAccess: bundles of the example name no service account, so the agent's
// own rights count.
func agentAccess() access {
	return access{
		chart: "muster-agent", namespace: AgentNamespace, account: "muster-agent",
		values: map[string]any{"rbac": map[string]any{"mode": "cluster-admin"}},
	}
}
