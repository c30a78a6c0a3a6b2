package bundle

// Load reads the bundles of a repository. It never fails as a whole: a fault
// belongs to its bundle, and only when the set of bundles itself is in doubt is
// the result Unknown. Bundles whose identity is live already are not read.
func Load(t Tree, r Repo) Result {
	l := &loader{tree: t, repo: r, cache: r.Cache.begin(), live: map[string]string{},
		ignoreHashes: map[string]string{}, ignoreLines: map[string]string{}, ignores: map[string]ignoreRules{}, hashes: map[string]string{}}
	for name, identity := range r.Known {
		l.live[identity] = name
	}
	// (1) which directories are bundles (2) read those that changed
	// (3) names must be unique, and nobody waits for himself (4) what was live where something is broken stays.
	l.judgeRepo()
	candidates := l.discover()
	l.result.Bundles = make([]Bundle, 0, len(candidates))
	for _, c := range candidates {
		l.read(c)
	}
	l.refuseDuplicates()
	l.refuseCycles()
	l.result.keepLive(l.repo.LivePaths, l.brokenPaths)
	r.Cache.finish(l.cache)
	return l.sorted()
}

// Validate returns every problem of a repository in one run, sorted by file and line.
func Validate(t Tree, r Repo) []Problem {
	r.Known, r.Cache = nil, nil
	return Load(t, r).Problems
}

type loader struct {
	tree  Tree
	repo  Repo
	cache *working
	live  map[string]string // identity -> name
	// ignoreHashes, ignoreLines and ignores hold what is known of ignore files, by path and by directory.
	ignoreHashes map[string]string
	ignoreLines  map[string]string
	ignores      map[string]ignoreRules
	hashes       map[string]string
	repoDigest   string
	faults       repoFaults
	result       Result
	// brokenPaths are directories with an error, for keepLive.
	brokenPaths []string
	// claims are the names of broken bundles, as far as they are certain.
	claims []claim
	// dependents are the bundles that wait for others.
	dependents []dependent
}

func (l *loader) problem(p Problem) { l.result.Problems = append(l.result.Problems, p) }

// unknown reports a fault that leaves the set of bundles in doubt.
func (l *loader) unknown(code, message string) {
	l.result.Unknown = true
	l.problem(Problem{Severity: Error, Code: code, Message: message})
}

// read adds one candidate to the result: unchanged, read, or broken.
func (l *loader) read(c candidate) {
	id, err := l.identify(c)
	if err != nil {
		l.breaks(c, outcome{name: l.computedName(c), broken: true, unnamed: true, problems: []Problem{
			unreadable(c.dir, err)}})
		return
	}
	known, seen := l.cache.outcome(id)
	if name, isLive := l.live[id]; isLive {
		l.addUnchanged(c, id, name, known)
		return
	}
	if seen && known.broken {
		l.breaks(c, known)
		return
	}
	if seen && len(known.unsupported) > 0 {
		l.addHeld(c, id, known)
		return
	}
	b, out := l.readBundle(c)
	l.cache.kept.outcomes[id] = out
	if out.broken {
		l.breaks(c, out)
		return
	}
	l.notice(b.Name, c.dir, out)
	b.Identity = id
	l.result.Problems = append(l.result.Problems, out.problems...)
	l.result.Bundles = append(l.result.Bundles, b)
}

func (l *loader) addUnchanged(c candidate, id, name string, known outcome) {
	l.notice(name, c.dir, known)
	l.result.Problems = append(l.result.Problems, known.problems...)
	l.result.Bundles = append(l.result.Bundles, Bundle{
		Name: name, Path: c.dir, OptionsFile: c.options, Identity: id, Unchanged: true, Labels: known.labels, Kind: known.kind,
	})
}

// addHeld adds a bundle that the last Load has read already and that Deployable
// will take out: without this, each Load would read it again.
func (l *loader) addHeld(c candidate, id string, known outcome) {
	l.notice(known.name, c.dir, known)
	l.result.Problems = append(l.result.Problems, known.problems...)
	l.result.Bundles = append(l.result.Bundles, Bundle{
		Name: known.name, Path: c.dir, OptionsFile: c.options, Identity: id, Labels: known.labels, Kind: known.kind, Unsupported: known.unsupported,
	})
}

func (l *loader) breaks(c candidate, out outcome) {
	l.notice(out.name, c.dir, out)
	l.result.Problems = append(l.result.Problems, out.problems...)
	l.result.Broken = append(l.result.Broken, out.name)
	l.brokenPaths = append(l.brokenPaths, c.dir)
	if !out.unnamed {
		l.claims = append(l.claims, claim{name: out.name, path: c.dir, options: c.options, at: out.nameAt})
	} else if l.repo.LivePaths == nil {
		l.result.Unknown = true
	}
}

func (l *loader) computedName(c candidate) string {
	if c.named {
		return Name(l.repo.Name, c.dir, c.options)
	}
	return Name(l.repo.Name, c.dir, "")
}

func (l *loader) sorted() Result {
	r := l.result
	r.livePaths = l.repo.LivePaths
	r.tidy()
	return r
}
