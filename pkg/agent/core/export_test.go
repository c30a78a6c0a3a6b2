package core

import "fmt"

// Dump shows what an agent thinks, for a test that fails.
func (a *Agent) Dump() []string {
	lines := []string{fmt.Sprintf("mark %+v durable %v in flight %d gather %+v", a.mark, a.durable(), a.inFlight, a.gather)}
	for _, b := range a.sorted() {
		lines = append(lines, fmt.Sprintf("bundle %s assigned %v removal %v stored %v version %d/%d writing %v dropping %v failure %q", b.uid, b.entry != nil, b.removal, b.stored, b.version, b.durable, b.writing, b.dropping, b.failure))
		for k, o := range b.objects {
			lines = append(lines, fmt.Sprintf("  %s wanted %v listed %v durable %v uid %q surveyed %v surveying %v busy %v check %v missing %v conflict %q failure %+v retry %v", k, o.want != nil, o.listed, o.durable, o.UID, o.surveyed, o.surveying, o.busy, o.check, o.missing, o.conflict, o.failure, o.retryAt))
		}
	}
	return lines
}
