package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kubernetesVersion is what the local API servers report on /version; it has to
// be the k8s.io/kubernetes version in controlplane/go.mod.
const kubernetesVersion = "v1.36.3"

// target is one `go build`: either one binary or several of one module.
type target struct {
	Name      string
	Dir       string   // module to build in, relative to the root
	Packages  []string // what to build
	Output    string   // file, or directory ending in a slash, relative to the root
	Flags     []string // further flags of go build
	Stamped   bool     // skip go build altogether while the sources are the same
	OnRequest bool     // only built when named
	Links     []string // links to make beside the output, relative to the root
	Note      string   // what to tell someone who waits
}

// allTargets lists everything there is to build, the longest first.
func allTargets(root, version string) []target {
	product := []string{"-ldflags", "-X main.version=" + version}
	return []target{
		{
			Name: "muster-controlplane", Dir: "controlplane", Packages: []string{"."}, Output: "bin/muster-controlplane",
			Flags: []string{"-trimpath", "-ldflags", "-s -w " + kubernetesLDFlags()}, Stamped: true,
			Note: "etcd and Kubernetes in one binary: about 5 minutes on 2 cores, once",
		},
		{
			Name: "kwok", Dir: "controlplane/kwok", Packages: []string{"sigs.k8s.io/kwok/cmd/kwok"}, Output: "bin/kwok",
			Flags: []string{"-trimpath", "-ldflags", "-s -w"}, Stamped: true,
			Note: "plays the kubelet: about 1 minute on 2 cores, once",
		},
		{
			Name: "muster", Dir: ".", Packages: commands(root, "muster", "muster-manager", "muster-agent", "muster-render"),
			Output: "bin/", Flags: product, Note: "Muster's own commands: about 2 minutes the first time, then seconds",
		},
		{
			// muster-render is not built for race detection: the detector's shadow
			// memory would count against the limit that the child process runs under.
			Name: "race", Dir: ".", Packages: commands(root, "muster", "muster-manager", "muster-agent"),
			Output: "bin/race/", Flags: append([]string{"-race"}, product...), OnRequest: true,
			Links: []string{"bin/muster-render", "bin/muster-controlplane", "bin/kwok"},
			Note:  "the same with the race detector, for the tests",
		},
	}
}

// kubernetesLDFlags stamps the version that Kubernetes' own release scripts
// stamp; without it /version says v0.0.0-master and feature gates misbehave.
func kubernetesLDFlags() string {
	parts := strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+pkg+".gitVersion="+kubernetesVersion,
			"-X "+pkg+".gitMajor="+parts[0],
			"-X "+pkg+".gitMinor="+parts[1],
			"-X "+pkg+".gitTreeState=clean")
	}
	return strings.Join(flags, " ")
}

// commands returns the package paths of those commands that exist.
func commands(root string, names ...string) []string {
	var paths []string
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(root, "cmd", name)); err == nil {
			paths = append(paths, "./cmd/"+name)
		}
	}
	return paths
}

// build makes one target unless its stamp says that it is there already.
func (t target) build(ctx context.Context, root string) error {
	if len(t.Packages) == 0 {
		return nil
	}
	key, fresh, err := t.upToDate(ctx, root)
	if err != nil || fresh {
		return err
	}
	if err := t.compile(ctx, root); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if err := t.link(root); err != nil {
		return err
	}
	return t.remember(root, key)
}

// link puts binaries that have no variant of their own beside the output, so
// that the directory is complete for whoever looks for a neighbour.
func (t target) link(root string) error {
	for _, from := range t.Links {
		to := filepath.Join(root, t.Output, filepath.Base(from))
		if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("replace link %s: %w", to, err)
		}
		if err := os.Symlink(filepath.Join(root, from), to); err != nil {
			return fmt.Errorf("link %s: %w", to, err)
		}
	}
	return nil
}
