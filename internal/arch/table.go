package arch

// Module is the import path that every rule's path is relative to.
const Module = "github.com/muster-dev/muster"

// Rule says where packages stand. The longest matching Path wins, so a rule for
// a package inside another overrides the outer one.
type Rule struct {
	// Path of a package relative to the module; it covers everything below it.
	Path string
	// Level orders packages: an import may go sideways or down, never up.
	Level int
	// Pure packages decide: values in, values out. They import none of Impure,
	// start no goroutine and never ask for the time.
	Pure bool
	// May lists impure imports that a pure package is allowed, as prefixes.
	May []string
	// Outside, if not nil, are the only imports from outside the standard library
	// and this module that the packages may have, as prefixes.
	Outside []string
	// OnlyFor, if not nil, are the only packages that may import these.
	OnlyFor []string
}

// Levels, in the design's words.
const (
	levelWords      = 0  // what is stored and sent
	levelFiles      = 10 // bundles and who gets them
	levelDecisions  = 11 // what follows from them
	levelMachinery  = 20 // fetching, rendering, distributing, applying
	levelServing    = 30 // controllers, gateway, receiver, command line
	levelAssembling = 40 // what is put together into processes
)

// Rules returns the table for this repository. A package that is in none of them
// is a finding, so that a new one gets its place by decision, not by accident.
func Rules() []Rule {
	none := []string{}
	renderers := []string{"internal/renderer", "cmd/muster-render"}
	rules := []Rule{
		// Free-form values are apiextensions' JSON type: types only, they bring
		// nothing but apimachinery.
		{Path: "pkg/api", Level: levelWords, Pure: true, Outside: []string{"k8s.io/apimachinery", "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"}},
		// Documents are signed values; go-jose signs bytes and reaches nothing.
		{Path: "pkg/protocol", Level: levelWords, Pure: true, Outside: []string{"github.com/go-jose/go-jose"}},
		// Embedded files, for whoever installs or tries them.
		{Path: "charts", Level: levelWords, Pure: true, Outside: none},
		{Path: "examples", Level: levelWords, Pure: true, Outside: none},

		{Path: "pkg/bundle", Level: levelFiles, Pure: true},
		{Path: "pkg/targets", Level: levelFiles, Pure: true},
		// A bundle's identity is a digest of a canonical form, so these stand beside it.
		{Path: "pkg/content", Level: levelFiles, Pure: true},

		// Helm's engine imports client-go and Kustomize net/http, so these two may.
		{Path: "pkg/bundle/helm", Level: levelDecisions, Pure: true, May: []string{"k8s.io/client-go", "net/http"}, OnlyFor: renderers},
		{Path: "pkg/bundle/kustomize", Level: levelDecisions, Pure: true, May: []string{"k8s.io/client-go", "net/http"}, OnlyFor: renderers},
		// What renderers make is content, so these stand above the bundles they read.
		{Path: "pkg/bundle/manifest", Level: levelDecisions, Pure: true},
		// A strategic merge needs the types of Kubernetes, which client-go's scheme lists.
		{Path: "pkg/bundle/raw", Level: levelDecisions, Pure: true, May: []string{"k8s.io/client-go/kubernetes/scheme"}, OnlyFor: renderers},
		{Path: "pkg/rollout", Level: levelDecisions, Pure: true},
		{Path: "pkg/schedule", Level: levelDecisions, Pure: true},
		{Path: "pkg/diff", Level: levelDecisions, Pure: true},
		{Path: "pkg/status", Level: levelDecisions, Pure: true},
		{Path: "pkg/agent/core", Level: levelDecisions, Pure: true},
	}
	rules = append(rules, at(levelMachinery, "internal/source", "internal/renderer", "internal/distribution", "pkg/agent")...)
	rules = append(rules, at(levelServing, "internal/controller", "internal/gateway", "internal/receiver", "internal/web", "internal/cli", "internal/lab")...)
	return append(rules, at(levelAssembling, "internal/manager", "internal/arch", "cmd")...)
}

// at makes one plain rule for each path.
func at(level int, paths ...string) []Rule {
	rules := make([]Rule, 0, len(paths))
	for _, path := range paths {
		rules = append(rules, Rule{Path: path, Level: level})
	}
	return rules
}

// Impure are the imports, as prefixes, that make a package more than a decision:
// clusters, repositories, the network, other processes.
func Impure() []string {
	return []string{
		"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/go-git",
		"net/http", "os/exec",
	}
}

// NotInAgent are the imports, as prefixes, that may not be linked into the agent
// however deep: it has to stay small, and it neither renders nor fetches.
func NotInAgent() []string {
	return []string{
		"helm.sh", "sigs.k8s.io/kustomize", "github.com/go-git", "sigs.k8s.io/controller-runtime",
	}
}
