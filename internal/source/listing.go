package source

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

const (
	headsPrefix = "refs/heads/"
	tagsPrefix  = "refs/tags/"
)

// listing is what a repository said about its refs at one moment.
type listing struct {
	refs *packp.AdvRefs
	// endpoint is where the answer came from, after redirects within the server.
	endpoint transport.Endpoint
}

// isCommitID tells whether text is a full SHA-1 object id.
func isCommitID(text string) bool {
	if len(text) != 40 {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}

// commit finds the commit a ref means. A commit id means itself: whether the repository has it shows when it is
// fetched, since servers do not list every commit.
func (l *listing) commit(ref Ref) (plumbing.Hash, verdict) {
	switch {
	case isCommitID(ref.Revision):
		return plumbing.NewHash(ref.Revision), verdict{}
	case strings.HasPrefix(ref.Revision, "refs/"):
		return l.named(ref, ref.Revision)
	case ref.Revision != "":
		return l.named(ref, tagsPrefix+ref.Revision)
	case ref.Branch != "":
		return l.named(ref, headsPrefix+strings.TrimPrefix(ref.Branch, headsPrefix))
	case l.refs.Head != nil:
		return *l.refs.Head, verdict{}
	default:
		return plumbing.ZeroHash, verdict{ErrRefNotFound, "the remote's HEAD names no branch", "set spec.branch" + l.suggest(headsPrefix)}
	}
}

func (l *listing) named(ref Ref, name string) (plumbing.Hash, verdict) {
	// The peeled entry is the commit an annotated tag names.
	if hash, ok := l.refs.Peeled[name]; ok {
		return hash, verdict{}
	}
	if hash, ok := l.refs.References[name]; ok {
		return hash, verdict{}
	}
	prefix := headsPrefix
	if !strings.HasPrefix(name, headsPrefix) {
		prefix = tagsPrefix
	}
	v := verdict{ErrRefNotFound, ref.String() + " does not exist there", "check spec.branch and spec.revision" + l.suggest(prefix)}
	if prefix == tagsPrefix && looksAbbreviated(ref.Revision) {
		v.hint = "write a commit with all its 40 characters"
	}
	return plumbing.ZeroHash, v
}

// looksAbbreviated tells a shortened commit id from a tag name well enough for a hint.
func looksAbbreviated(revision string) bool {
	return len(revision) >= 7 && len(revision) < 40 && strings.Trim(revision, "0123456789abcdef") == ""
}

// suggest names a few of the refs that do exist.
func (l *listing) suggest(prefix string) string {
	const most = 5
	var names []string
	for name := range l.refs.References {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			names = append(names, oneLine(short, nil))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "; it has " + strings.Join(names, ", ") + more
}

// want is the object to ask for to get a commit: a strict server gives only what it lists, and it lists an annotated
// tag rather than the tag's commit.
func (l *listing) want(commit plumbing.Hash) (hash plumbing.Hash, listed bool) {
	if l.refs.Head != nil && *l.refs.Head == commit {
		return commit, true
	}
	for _, hash := range l.refs.References {
		if hash == commit {
			return commit, true
		}
	}
	for name, peeled := range l.refs.Peeled {
		if hash, ok := l.refs.References[name]; ok && peeled == commit {
			return hash, true
		}
	}
	return commit, false
}

// heads are the tips of the wanted branch, or of all branches.
func (l *listing) heads(branch string) []plumbing.Hash {
	if hash, ok := l.refs.References[headsPrefix+branch]; ok && branch != "" {
		return []plumbing.Hash{hash}
	}
	var tips []plumbing.Hash
	for name, hash := range l.refs.References {
		if strings.HasPrefix(name, headsPrefix) {
			tips = append(tips, hash)
		}
	}
	plumbing.HashesSort(tips)
	return slices.Compact(tips)
}
