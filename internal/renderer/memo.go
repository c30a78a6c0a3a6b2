package renderer

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"
)

// forgetLimits is how long a hit limit is remembered: a bundle that burns a
// minute of CPU must not do so for every cluster, yet a busy machine may have
// been the reason.
const forgetLimits = 10 * time.Minute

// maxAsked sets of questions are known of a digest: a chart that asks at random
// must not make every look into the memo longer.
const maxAsked = 16

// memo remembers results, the latest used up to a number of bytes, on two
// levels: a digest leads to the questions that its renders asked about the
// cluster, and those with their answers to a result. Losing it changes nothing
// but time.
type memo struct {
	mu       sync.Mutex // guards everything below
	room     int64
	used     int64
	order    *list.List          // of *remembered, latest first
	byDigest map[string][]*asked // those that asked most first; lists are replaced, never changed
}

// asked are the results of one digest whose renders asked the same questions.
// A chart asks few different sets, whatever it is told.
type asked struct {
	questions []string                 // sorted; never changed
	byAnswers map[string]*list.Element // guarded by memo.mu
}

type remembered struct {
	digest  string
	asked   *asked
	answers string
	result  result
	size    int64
	until   time.Time // zero = for as long as there is room
}

func newMemo(room int64) *memo {
	return &memo{room: room, order: list.New(), byDigest: map[string][]*asked{}}
}

// get finds a result whose questions these facts answer as its render was
// answered. Without one, view names what they answer to the questions known so
// far: inputs of equal view are worth one render.
func (m *memo) get(digest string, f Facts, now time.Time) (res result, view string, ok bool) {
	m.mu.Lock()
	sets := m.byDigest[digest]
	m.mu.Unlock()
	// Facts may be long; they are read without holding others up.
	var all strings.Builder
	for _, set := range sets {
		answers := told(set.questions, f.Answer)
		if res, ok := m.take(set, answers, now); ok {
			return res, "", true
		}
		all.WriteString(answers + "\n")
	}
	return result{}, all.String(), false
}

func (m *memo) take(set *asked, answers string, now time.Time) (result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := set.byAnswers[answers]
	if !ok {
		return result{}, false
	}
	r := element.Value.(*remembered)
	if !r.until.IsZero() && now.After(r.until) {
		m.dropLocked(element)
		return result{}, false
	}
	m.order.MoveToFront(element)
	return r.result, true
}

func (m *memo) put(digest string, res result, now time.Time) {
	r := &remembered{digest: digest, result: res, size: sizeOf(res)}
	if res.problem != nil && res.problem.IsLimit() {
		r.until = now.Add(forgetLimits)
	}
	r.answers = told(questions(res.answers), func(q string) string { return res.answers[q] })
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.size > m.room {
		return
	}
	r.asked = m.askedLocked(digest, questions(res.answers))
	if old, ok := r.asked.byAnswers[r.answers]; ok {
		m.dropLocked(old)
		r.asked = m.askedLocked(digest, r.asked.questions)
	}
	r.asked.byAnswers[r.answers] = m.order.PushFront(r)
	m.used += r.size
	for m.used > m.room {
		m.dropLocked(m.order.Back())
	}
}

// askedLocked finds or makes the set of these questions.
func (m *memo) askedLocked(digest string, questions []string) *asked {
	sets := m.byDigest[digest]
	for _, set := range sets {
		if slices.Equal(set.questions, questions) {
			return set
		}
	}
	if len(sets) >= maxAsked {
		m.forgetLocked(slices.MinFunc(sets, func(a, b *asked) int { return cmp.Compare(len(a.byAnswers), len(b.byAnswers)) }))
		sets = m.byDigest[digest]
	}
	set := &asked{questions: questions, byAnswers: map[string]*list.Element{}}
	sets = append(slices.Clone(sets), set)
	slices.SortStableFunc(sets, func(a, b *asked) int { return cmp.Compare(len(b.questions), len(a.questions)) })
	m.byDigest[digest] = sets
	return set
}

// forgetLocked drops all results of a set.
func (m *memo) forgetLocked(set *asked) {
	for _, element := range set.byAnswers {
		m.dropLocked(element)
	}
}

func (m *memo) dropLocked(element *list.Element) {
	r := m.order.Remove(element).(*remembered)
	m.used -= r.size
	delete(r.asked.byAnswers, r.answers)
	if len(r.asked.byAnswers) > 0 {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(m.byDigest[r.digest]), func(set *asked) bool { return set == r.asked })
	if m.byDigest[r.digest] = kept; len(kept) == 0 {
		delete(m.byDigest, r.digest)
	}
}

// sizeOf is about what a result holds in memory.
func sizeOf(res result) int64 {
	size := int64(512)
	for _, o := range res.item.Objects {
		size += int64(len(o.Manifest)+len(o.Key)) + 128
	}
	for key, file := range res.item.Files {
		size += int64(len(key)+len(file)) + 64
	}
	for question, answer := range res.answers {
		size += int64(len(question)+len(answer)) + 64
	}
	return size + int64(len(res.item.Origins))*256
}
