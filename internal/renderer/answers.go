package renderer

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Questions that together ask for all there is to know about a cluster.
const (
	allCapabilities = "everything"
	allLabels       = "clusterLabels"
)

// Bounds of what is kept of a render's questions: they are stored with content,
// and every cluster is asked them.
const (
	maxQuestions     = 200
	maxQuestionBytes = 16 << 10
)

// bounded gives back answers to all there is in the place of too many.
func bounded(answers map[string]string, f Facts) map[string]string {
	size := 0
	for question, answer := range answers {
		size += len(question) + len(answer)
	}
	if len(answers) <= maxQuestions && size <= maxQuestionBytes {
		return answers
	}
	few := map[string]string{allCapabilities: f.Answer(allCapabilities)}
	if labels, asked := answers[allLabels]; asked {
		few[allLabels] = labels
	}
	return few
}

// ofFailure are the answers of a failed render: those it tells of, or all there
// are, since it may have failed because of any.
func ofFailure(told map[string]string, f Facts) map[string]string {
	if told != nil {
		return told
	}
	return map[string]string{allCapabilities: f.Answer(allCapabilities), allLabels: f.Answer(allLabels)}
}

// joined are the answers of two renders of the same inputs.
func joined(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	all := maps.Clone(b)
	maps.Copy(all, a)
	return all
}

// questions lists what was asked, sorted.
func questions(answers map[string]string) []string {
	return slices.Sorted(maps.Keys(answers))
}

// told joins the answers to questions in order, so that no two lists of them look alike.
func told(questions []string, answer func(question string) string) string {
	var key strings.Builder
	for _, question := range questions {
		a := answer(question)
		key.WriteString(strconv.Itoa(len(a)))
		key.WriteByte(':')
		key.WriteString(a)
	}
	return key.String()
}
