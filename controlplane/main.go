package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info on /metrics
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// components names each process this binary can be. Only one of them runs per
// process: the Kubernetes commands each install signal handlers and register
// global flags and feature gates, so two in one process would fight.
func components() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"etcd":               newEtcdCommand,
		"apiserver":          apiserver.NewAPIServerCommand,
		"controller-manager": controllermanager.NewControllerManagerCommand,
	}
}

const usage = `muster-controlplane runs one part of a local Kubernetes control plane.

Usage: muster-controlplane etcd|apiserver|controller-manager [flags]

Flags after the name are passed through: etcd has its own short list, the other
two take every flag of kube-apiserver and kube-controller-manager.
`

func main() {
	os.Exit(run(os.Args))
}

// run builds only the command that was asked for, because building one already
// registers its global state, and returns the exit code.
func run(args []string) int {
	if len(args) < 2 || args[1] == "-h" || args[1] == "--help" {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	build, ok := components()[args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "unknown component %q\n\n%s", args[1], usage)
		return 2
	}
	command := build()
	command.SetArgs(args[2:])
	return cli.Run(command)
}
