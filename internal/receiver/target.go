package receiver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/internal/source"
)

// Target is a repository that listens to a path.
type Target struct {
	// Key is what Trigger is called with: namespace/name.
	Key string
	// URL is the repository's URL as the user wrote it.
	URL string
	// Branch and Revision are what is followed; both empty means the remote's HEAD.
	Branch, Revision string
	// Secret signs deliveries. Without one every delivery is refused.
	Secret []byte
}

// follows decides whether a push can concern a target; an empty reason means it can. Where the delivery does not tell,
// polling once too often is the right answer.
func (t Target) follows(p Push) (reason string) {
	if !t.isIn(p.Repositories) {
		return fmt.Sprintf("repository %s is not tracked", printable(source.Redact(p.Repositories[0])))
	}
	if p.Ref == "" {
		return ""
	}
	if slices.Contains(t.refs(p), p.Ref) {
		return ""
	}
	if branch, ok := strings.CutPrefix(p.Ref, "refs/heads/"); ok {
		if t.Branch == "" && t.Revision == "" && p.DefaultBranch == "" {
			return ""
		}
		return fmt.Sprintf("branch %s is not tracked", printable(branch))
	}
	if tag, ok := strings.CutPrefix(p.Ref, "refs/tags/"); ok {
		return fmt.Sprintf("tag %s is not tracked", printable(tag))
	}
	return fmt.Sprintf("ref %s is not tracked", printable(p.Ref))
}

// refs are the refs whose movement concerns the target.
func (t Target) refs(p Push) []string {
	switch {
	case t.Revision != "":
		return []string{t.Revision, "refs/tags/" + t.Revision}
	case t.Branch != "":
		return []string{"refs/heads/" + strings.TrimPrefix(t.Branch, "refs/heads/")}
	case p.DefaultBranch != "":
		return []string{"refs/heads/" + p.DefaultBranch}
	default:
		return nil
	}
}

// isIn compares by path: the host of one repository has several names (internal, external, ssh), its path one. This is
// no check of who sends, which the signature is, but keeps an organisation's hook from polling for its other
// repositories.
func (t Target) isIn(urls []string) bool {
	if len(urls) == 0 {
		return true
	}
	own := source.CanonicalPath(t.URL)
	return own != "" && slices.ContainsFunc(urls, func(u string) bool { return strings.EqualFold(source.CanonicalPath(u), own) })
}
