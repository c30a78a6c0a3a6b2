package cli

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/muster-dev/muster/internal/gateway/jointoken"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/spf13/cobra"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

// tokenOptions are what a join token is bound to.
type tokenOptions struct {
	hubFlags
	Name   string
	Labels map[string]string
	TTL    time.Duration
	Uses   int
	URL    string
	CAFile string
}

// bindToken adds the flags that token and join share.
func (o *tokenOptions) bindToken(c *cobra.Command) {
	o.bind(c)
	c.Flags().StringToStringVarP(&o.Labels, "labels", "l", nil, "labels given to the cluster, such as env=prod,region=eu")
	c.Flags().DurationVar(&o.TTL, "ttl", time.Hour, "how long the token may be used")
	c.Flags().StringVar(&o.URL, "url", "", "address at which agents reach the hub (default: the one the manager publishes)")
	c.Flags().StringVar(&o.CAFile, "ca-file", "", "PEM file with the CA that agents shall insist on")
}

func (a *app) tokenCommand() *cobra.Command {
	var o tokenOptions
	c := &cobra.Command{
		Use:   "token",
		Short: "Make a join token and print it, once",
		Long: `Make a join token and print it, once.

It is bound to a cluster name or to labels, works once and for an hour unless
told otherwise, and carries the fingerprint of the hub's key, so that an agent
joins this hub and no other. The hub keeps the public half only.`,
		Example: `  muster cluster token --name eu-1 --labels env=prod,region=eu
  muster cluster token --labels env=edge --uses 50 --ttl 24h`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.Timeout)
			defer cancel()
			h, err := o.dial()
			if err != nil {
				return err
			}
			text, made, err := o.make(ctx, h)
			if err != nil {
				return err
			}
			a.notef("%s", describeToken(made))
			_, err = fmt.Fprintln(a.Out, text)
			return err
		},
	}
	o.bindToken(c)
	c.Flags().StringVar(&o.Name, "name", "", "the only cluster name that may join with it")
	c.Flags().IntVar(&o.Uses, "uses", 1, "how many clusters may join with it")
	return c
}

// check finds mistakes before anything is written.
func (o *tokenOptions) check() error {
	switch {
	case o.Name == "" && len(o.Labels) == 0:
		return usagef("a token is bound to --name or to --labels")
	case o.Name != "" && o.Uses > 1:
		return usagef("--uses %d: a name joins once; leave --name out and set --labels", o.Uses)
	case o.Uses < 1:
		return usagef("--uses %d: want 1 or more", o.Uses)
	case o.TTL <= 0:
		return usagef("--ttl %s: want a time to come", o.TTL)
	}
	return nil
}

// make creates the JoinToken and returns the text that is shown once.
func (o *tokenOptions) make(ctx context.Context, h *hub) (string, *v1alpha1.JoinToken, error) {
	if err := o.check(); err != nil {
		return "", nil, err
	}
	address, fingerprint, err := h.gateway(ctx, o.URL)
	if err != nil {
		return "", nil, err
	}
	pin, err := pinOf(o.CAFile)
	if err != nil {
		return "", nil, err
	}
	object, text, err := jointoken.New(jointoken.Options{
		Workspace: h.workspace, Name: tokenName(o.Name), Cluster: o.Name, Labels: o.Labels,
		TTL: o.TTL, Uses: o.Uses, Hub: address, Fingerprint: fingerprint, CA: pin,
	}, time.Now())
	if err != nil {
		return "", nil, err
	}
	k, err := kindNamed("jointokens")
	if err != nil {
		return "", nil, err
	}
	return text, object, h.create(ctx, k.path(h.workspace), object, object)
}

// tokenName is fresh, so that one cluster can be given several tokens.
func tokenName(cluster string) string {
	if cluster == "" {
		cluster = "token"
	}
	return cluster + "-" + utilrand.String(8)
}

// gateway reads what the manager publishes: its address and its key's fingerprint.
func (h *hub) gateway(ctx context.Context, override string) (address, fingerprint string, err error) {
	var settings struct {
		Data map[string]string `json:"data"`
	}
	if err := h.get(ctx, h.settingsPath(), &settings); err != nil {
		return "", "", fmt.Errorf("find the hub's address and key: %w; is the manager running in namespace %s?", err, h.system)
	}
	address, fingerprint = settings.Data["url"], settings.Data["fingerprint"]
	if override != "" {
		address = override
	}
	switch {
	case fingerprint == "":
		return "", "", fmt.Errorf("find the hub's key: ConfigMap %s/muster-hub has no fingerprint; is the manager ready?", h.system)
	case address == "":
		return "", "", fmt.Errorf("find the hub's address: the manager publishes none; pass --url, or start it with --external-url")
	}
	return address, fingerprint, nil
}

// pinOf is the SHA-256 of the public key of a CA certificate; empty for no file.
func pinOf(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the CA: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", fmt.Errorf("read the CA: %s holds no PEM certificate", file)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("read the CA %s: %w", file, err)
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:]), nil
}

// describeToken says on one line what a token is good for.
func describeToken(t *v1alpha1.JoinToken) string {
	bound := "any cluster, with labels " + labelText(t.Spec.Labels)
	if t.Spec.ClusterName != "" {
		bound = "cluster " + t.Spec.ClusterName
	}
	return fmt.Sprintf("token %s/%s for %s: %d use(s), until %s; it is not shown again",
		t.Namespace, t.Name, bound, t.Spec.MaxUses, t.Spec.Expires.UTC().Format(time.RFC3339))
}
