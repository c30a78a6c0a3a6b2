package jointoken

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// DefaultTTL and MaxUses hold when Options say nothing.
const (
	DefaultTTL  = time.Hour
	DefaultUses = 1
	maxUses     = 10000
)

// Options of a token. Workspace, Name, Hub, Fingerprint and one of Cluster and Labels are required.
type Options struct {
	// Workspace that the cluster joins.
	Workspace string
	// Name of the JoinToken object.
	Name string
	// Cluster is the only name that may join with it.
	Cluster string
	// Labels are given to every cluster that joins with it, under names the hub makes.
	Labels map[string]string
	// TTL is how long it works. Default DefaultTTL.
	TTL time.Duration
	// Uses is how often it works. Default DefaultUses.
	Uses int
	// Hub is the gateway's URL, as agents reach it.
	Hub string
	// Fingerprint of the hub key.
	Fingerprint string
	// CA is an optional pin: SHA-256 (hex) of the SubjectPublicKeyInfo of the CA that signed the hub's certificate.
	CA string
}

// New makes a token: the object to create and the text to print once. The
// object holds the public half only.
func New(o Options, now time.Time) (*v1alpha1.JoinToken, string, error) {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.Uses == 0 {
		o.Uses = DefaultUses
	}
	if err := o.check(); err != nil {
		return nil, "", fmt.Errorf("make join token %s: %w", o.Name, err)
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("make join token %s: %w", o.Name, err)
	}
	text, err := protocol.Token{
		Version: protocol.Version, Workspace: o.Workspace, Name: o.Name, Seed: protocol.EncodeSeed(key),
		Hub: o.Hub, HubKey: o.Fingerprint, CA: o.CA,
	}.Encode()
	if err != nil {
		return nil, "", err
	}
	// What cannot be read back must not be given away.
	if _, err := protocol.ParseToken(text); err != nil {
		return nil, "", fmt.Errorf("make join token %s: %w", o.Name, err)
	}
	object := &v1alpha1.JoinToken{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "JoinToken"},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.Workspace, Name: o.Name},
		Spec: v1alpha1.JoinTokenSpec{
			PublicKey: protocol.EncodeKey(public), ClusterName: o.Cluster, Labels: o.Labels,
			Expires: metav1.NewTime(now.Add(o.TTL).UTC().Truncate(time.Second)), MaxUses: o.Uses,
		},
	}
	return object, text, nil
}

func (o Options) check() error {
	if o.Cluster != "" {
		// A Kubernetes object's name, and short enough for labels that carry it.
		if errs := utilvalidation.IsDNS1123Label(o.Cluster); len(errs) > 0 {
			return fmt.Errorf("cluster name %q: %s", o.Cluster, errs[0])
		}
	}
	if o.Cluster != "" && o.Uses != 1 {
		return errors.New("a token for one cluster works once")
	}
	if o.TTL < 0 || o.Uses < 1 || o.Uses > maxUses {
		return fmt.Errorf("a token works for a positive time and 1 to %d times", maxUses)
	}
	if errs := validation.ValidateLabels(o.Labels, field.NewPath("labels")); len(errs) > 0 {
		return errs.ToAggregate()
	}
	return nil
}
