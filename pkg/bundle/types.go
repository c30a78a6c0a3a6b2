package bundle

import (
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Bundle is one directory (or one base with one options file) as read from a repository.
type Bundle struct {
	// Name of the Bundle object, exactly Fleet's.
	Name string
	// Path is the directory relative to the repository root; "." is the root.
	Path string
	// OptionsFile is the fleet.yaml used, relative to Path; empty if there is none.
	OptionsFile string
	// Identity is the digest of everything that was read for this bundle: git tree hashes and .fleetignore files.
	Identity string
	// Unchanged says that Identity is the one already live; Spec and Files are then empty.
	Unchanged bool
	// Labels of the Bundle object.
	Labels map[string]string
	// Kind of renderer.
	Kind Kind
	// Spec holds options, targets, customizations, dependencies as they go to the Bundle object, Source and Inputs left empty.
	Spec v1alpha1.BundleSpec
	// Files of the bundle, sorted by path; options file and nested bundles left out.
	Files []File
	// Unsupported are the keys that are read and that the hub does not act on yet,
	// sorted; see Result.Deployable.
	Unsupported []string
	// Where maps paths such as "targetCustomizations[1].clusterSelector" to where they stand.
	Where map[string]Position
}

// Kind of renderer a bundle needs.
type Kind string

// The kinds.
const (
	KindRaw       Kind = "raw"
	KindKustomize Kind = "kustomize"
	KindHelm      Kind = "helm"
)

// File is one file of a bundle.
type File struct {
	// Path relative to the bundle's directory, slashes.
	Path string `json:"p"`
	Data []byte `json:"d"`
}

// Position of something in a file of the repository.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Problem is one fault, in the words of the API.
type Problem = v1alpha1.Problem

// Severities of problems.
const (
	Error   = "error"
	Warning = "warning"
)

// Repo is what Load must know of a GitRepo.
type Repo struct {
	// Name of the GitRepo; every bundle's computed name starts with it.
	Name string
	// Spec as the user wrote it: paths, bundles, targets and what is merged into every bundle.
	Spec v1alpha1.GitRepoSpec
	// Known maps the names of live bundles to their identities; a bundle whose
	// identity is among them is not read again.
	Known map[string]string
	// LivePaths maps the names of live bundles to their directories. It keeps a
	// bundle alive whose fleet.yaml no longer says what its name is. Without it
	// such a file makes the whole result Unknown.
	LivePaths map[string]string
	// Cache remembers directories and faults between two Loads of the same repository; may be nil.
	Cache *Cache
}

// Result of reading a repository. Bundles with an error problem are not in
// Bundles but in Broken: they keep their last good revision.
type Result struct {
	Bundles  []Bundle
	Problems []Problem
	// Broken names bundles that exist and could not be read; absence from both is the only absence.
	// With Repo.LivePaths it also names every live bundle that stood where something is broken now.
	Broken []string
	// Unknown is true when the set of bundles itself could not be determined
	// (a path that matches nothing, an unreadable tree): nothing may shrink.
	Unknown bool

	// livePaths are the Repo's, for Deployable.
	livePaths map[string]string
}
