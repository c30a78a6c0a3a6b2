package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// options of the agent. Nothing in them is secret: the token is in a file.
type options struct {
	kubeconfig    string
	namespace     string
	tokenFile     string
	caFile        string
	metricsListen string
	showVersion   bool
}

// setting is one row of the options table.
type setting struct {
	flag, env, value, help string
	target                 *string
}

func (o *options) settings() []setting {
	return []setting{
		{"kubeconfig", "KUBECONFIG", "", "kubeconfig of the agent's own cluster; empty = the pod's service account", &o.kubeconfig},
		{"namespace", "MUSTER_AGENT_NAMESPACE", "muster-agent", "namespace of the agent: its identity, its state and the service accounts that bundles name", &o.namespace},
		{"token-file", "MUSTER_TOKEN_FILE", "", "file with a join token; read only while the agent is not joined, or was revoked", &o.tokenFile},
		{"ca-file", "MUSTER_CA_FILE", "", "file with CA certificates (PEM) that may sign the hub's certificate; empty = the system's", &o.caFile},
		{"metrics-listen", "MUSTER_METRICS_LISTEN", "", "address that serves /metrics, /healthz and /readyz; empty = off", &o.metricsListen},
	}
}

// parse reads flags, then the environment for what no flag says, then defaults.
func parse(args []string, env func(string) string, stderr io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("muster-agent", flag.ContinueOnError)
	set.SetOutput(stderr)
	for _, s := range o.settings() {
		value := s.value
		if v := env(s.env); v != "" {
			value = v
		}
		set.StringVar(s.target, s.flag, value, fmt.Sprintf("%s (%s)", s.help, s.env))
	}
	set.BoolVar(&o.showVersion, "version", false, "print the version")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	if set.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	return o, o.validate()
}

func (o options) validate() error {
	if o.namespace == "" {
		return errors.New("--namespace must not be empty")
	}
	return nil
}

// table is what is printed at the start.
func (o options) table() map[string]string {
	t := map[string]string{}
	for _, s := range o.settings() {
		t[s.flag] = *s.target
	}
	return t
}
