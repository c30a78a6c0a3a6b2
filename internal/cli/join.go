package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
)

// joinOptions are the flags of cluster join.
type joinOptions struct {
	tokenOptions
	ToKubeconfig   string
	ToContext      string
	AgentNamespace string
	Image          string
	RBAC           string
	HubCA          string
}

func (a *app) joinCommand() *cobra.Command {
	var o joinOptions
	c := &cobra.Command{
		Use:   "join NAME",
		Short: "Print, or apply to a cluster, an agent with a fresh join token",
		Long: `Print, or apply to a cluster, an agent with a fresh join token.

The manifests are the chart muster-agent with the token in a Secret. Without
--to-context or --to-kubeconfig they are printed, for kubectl or for Git (then
mind the Secret: it works once and for --ttl).

--rbac says what the agent may do there: cluster-admin applies any bundle;
minimal reads and impersonates, so that every bundle needs a serviceAccount.`,
		Example: `  muster cluster join eu-1 --labels env=prod --to-context eu-1
  muster cluster join eu-1 | kubectl --context eu-1 apply -f -
  muster cluster join eu-1 --rbac minimal --to-context eu-1`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.Timeout)
			defer cancel()
			o.Name, o.Uses = given[0], 1
			return a.join(ctx, o)
		},
	}
	o.bindToken(c)
	c.Flags().StringVar(&o.ToKubeconfig, "to-kubeconfig", "", "kubeconfig of the cluster that joins")
	c.Flags().StringVar(&o.ToContext, "to-context", "", "context of the cluster that joins")
	c.Flags().StringVar(&o.AgentNamespace, "agent-namespace", "muster-agent", "namespace of the agent there")
	c.Flags().StringVar(&o.Image, "image", "", "repository[:tag] of the agent's image")
	c.Flags().StringVar(&o.RBAC, "rbac", "cluster-admin", "what the agent may do there: cluster-admin or minimal")
	c.Flags().StringVar(&o.HubCA, "hub-ca", "", "PEM file to verify the hub's TLS certificate with")
	completeFixed(c, "rbac", "cluster-admin", "minimal")
	return c
}

func (a *app) join(ctx context.Context, o joinOptions) error {
	if o.RBAC != "cluster-admin" && o.RBAC != "minimal" {
		return usagef("--rbac %q: want cluster-admin or minimal", o.RBAC)
	}
	h, err := o.dial()
	if err != nil {
		return err
	}
	text, made, err := o.make(ctx, h)
	if err != nil {
		return err
	}
	values, err := o.values(text)
	if err != nil {
		return err
	}
	manifests, err := agentManifests(o.AgentNamespace, values)
	if err != nil {
		return err
	}
	a.notef("%s", describeToken(made))
	a.notef("the agent's rights there: %s (--rbac)", o.RBAC)
	if o.ToContext == "" && o.ToKubeconfig == "" {
		return a.printManifests(manifests)
	}
	return a.applyAgent(ctx, o, manifests)
}

// values of the chart muster-agent.
func (o joinOptions) values(token string) (map[string]any, error) {
	values := map[string]any{"token": token, "rbac": map[string]any{"mode": o.RBAC}}
	if o.Image != "" {
		values["image"] = imageValues(o.Image)
	}
	if o.HubCA == "" {
		return values, nil
	}
	data, err := os.ReadFile(o.HubCA)
	if err != nil {
		return nil, fmt.Errorf("read the CA for the hub's certificate: %w", err)
	}
	values["caBundle"] = string(data)
	return values, nil
}

// applyAgent applies to the cluster that joins, never to the hub by default.
func (a *app) applyAgent(ctx context.Context, o joinOptions, manifests []agentObject) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.ToKubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.ToContext}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig of cluster %s: %w; name it with --to-kubeconfig or --to-context", o.Name, err)
	}
	if err := apply(ctx, config, manifests); err != nil {
		return fmt.Errorf("install the agent on cluster %s: %w", o.Name, err)
	}
	a.notef("agent installed in namespace %s on %s; see it arrive: muster get cluster %s -w", o.AgentNamespace, config.Host, o.Name)
	return nil
}
