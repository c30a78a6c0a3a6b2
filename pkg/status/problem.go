package status

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Locate says what is wrong and where, as compilers do: file:line: message.
func Locate(p v1alpha1.Problem) string {
	text := p.Message
	if p.Suggestion != "" {
		text += "; " + p.Suggestion
	}
	switch {
	case p.File == "":
		return text
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, text)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, text)
}
