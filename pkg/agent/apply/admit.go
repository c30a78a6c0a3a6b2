package apply

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/health"
	"github.com/muster-dev/muster/pkg/agent/kube"
)

// notAllowed is the reason that begins every denial.
const notAllowed = "NamespaceNotAllowed: "

// Admit looks whether a namespace has the labels that a Policy demands of it.
func (p *Applier) Admit(ctx context.Context, q core.Admit) core.Admitted {
	answer := core.Admitted{Bundle: q.Bundle}
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		answer.Denial = fmt.Sprintf("%sthe selector %q for namespace %s cannot be read: %v", notAllowed, q.Selector, q.Namespace, err)
		return answer
	}
	resource := kube.Resource{Version: "v1", Name: "namespaces"}
	data, err := p.client.GetMetadata(ctx, resource.Path("", q.Namespace))
	if kube.IsGone(err) {
		answer.Denial = fmt.Sprintf("%snamespace %s does not exist; it must, with labels %q, and is not created", notAllowed, q.Namespace, q.Selector)
		return answer
	}
	if err != nil {
		answer.Failure = fmt.Sprintf("%snamespace %s cannot be read, labels %q are needed: %v", notAllowed, q.Namespace, q.Selector, err)
		return answer
	}
	object, err := health.Decode(data)
	if err != nil {
		answer.Failure = fmt.Sprintf("%snamespace %s: %v", notAllowed, q.Namespace, err)
		return answer
	}
	answer.Denial = denial(q, selector, labelsOf(object))
	return answer
}

func labelsOf(object map[string]any) labels.Set {
	metadata, _ := object["metadata"].(map[string]any)
	all, _ := metadata["labels"].(map[string]any)
	set := labels.Set{}
	for k, v := range all {
		set[k], _ = v.(string)
	}
	return set
}

// denial names what of the selector the labels do not satisfy.
func denial(q core.Admit, selector labels.Selector, set labels.Set) string {
	requirements, selectable := selector.Requirements()
	var missing []string
	for _, r := range requirements {
		if !r.Matches(set) {
			missing = append(missing, r.String())
		}
	}
	if selectable && len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("%snamespace %s needs labels %q, it lacks %s", notAllowed, q.Namespace, q.Selector, strings.Join(missing, ", "))
}
