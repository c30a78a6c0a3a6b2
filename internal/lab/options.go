package lab

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Cluster is a cluster of the fleet.
type Cluster struct {
	Name   string
	Labels map[string]string
}

// Options of a lab. Dir is required.
type Options struct {
	// Dir holds everything the lab writes; it must be empty or absent.
	Dir string
	// Bin is the directory of Muster's programs; empty looks where plane.Binary does.
	Bin string
	// Clusters of the fleet; none means DefaultClusters.
	Clusters []Cluster
	// Seed is the directory that becomes the first commit; empty starts with an
	// empty repository and no GitRepo.
	Seed string
	// Progress is told what is being done, in words; may be nil. It is called
	// from several goroutines.
	Progress func(message string)
}

// Names that the contract fixes.
const (
	// Workspace is the hub namespace of everything a lab makes.
	Workspace = "default"
	// ManagerNamespace is where the manager keeps its own objects.
	ManagerNamespace = "muster-system"
	// AgentNamespace is where each agent keeps its state.
	AgentNamespace = "muster-agent"
	// GitRepoName is the seeded GitRepo.
	GitRepoName = "fleet"
	// HubName is the hub's name among the API servers.
	HubName = "hub"
)

// DefaultClusters are the demo's three.
func DefaultClusters() []Cluster {
	return []Cluster{
		{Name: "canary-1", Labels: map[string]string{"env": "canary"}},
		{Name: "eu-1", Labels: map[string]string{"env": "prod", "region": "eu"}},
		{Name: "us-1", Labels: map[string]string{"env": "prod", "region": "us"}},
	}
}

// NumberedClusters are cluster-1 to cluster-n, each with its number as label n.
func NumberedClusters(n int) []Cluster {
	clusters := make([]Cluster, 0, n)
	for i := 1; i <= n; i++ {
		clusters = append(clusters, Cluster{Name: fmt.Sprintf("cluster-%d", i), Labels: map[string]string{"n": fmt.Sprint(i)}})
	}
	return clusters
}

// ParseCluster reads NAME or NAME=k=v,k2=v2.
func ParseCluster(text string) (Cluster, error) {
	name, rest, _ := strings.Cut(text, "=")
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return Cluster{}, fmt.Errorf("cluster %q: %s", text, problems[0])
	}
	if name == HubName {
		return Cluster{}, fmt.Errorf("cluster %q: that is the hub's own name", text)
	}
	c := Cluster{Name: name, Labels: map[string]string{}}
	if rest == "" {
		return c, nil
	}
	set, err := labels.ConvertSelectorToLabelsMap(rest)
	if err != nil {
		return Cluster{}, fmt.Errorf("cluster %q: %w", text, err)
	}
	c.Labels = set
	return c, nil
}

func (o Options) validate() error {
	if o.Dir == "" {
		return errors.New("a lab needs a directory")
	}
	seen := map[string]bool{HubName: true}
	for _, c := range o.Clusters {
		if seen[c.Name] {
			return fmt.Errorf("cluster %q is named twice", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}
