package renderer

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// wholeQuestions together ask for all there is to know about a cluster.
var wholeQuestions = []string{"everything", "clusterLabels"}

// ofFailure are the answers of a failed render: those it tells of, or all there
// are, since it may have failed because of any.
func ofFailure(told map[string]string, f Facts) map[string]string {
	if told != nil {
		return told
	}
	all := map[string]string{}
	for _, question := range wholeQuestions {
		all[question] = f.Answer(question)
	}
	return all
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
