package agent_test

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func definition(plural, kind, group string) content.Object {
	return object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", plural+"."+group, map[string]any{"spec": map[string]any{
		"group": group, "scope": "Namespaced", "names": map[string]any{"kind": kind, "plural": plural, "singular": strings.ToLower(kind)},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		}},
	}})
}

func TestADefinitionAndItsObjectComeInOneBundle(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.start()
	group := w.namespace + ".example.org"
	custom := object(group+"/v1", "Widget", w.namespace, "one", map[string]any{"spec": map[string]any{"size": 1}})
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, custom, definition("widgets", "Widget", group)))
	w.ready()
	w.get(w.namespace, group+"/v1", "widgets", "one")
	w.removal(protocol.Removal{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA})
	w.headGone(bundleA)
	if !w.gone("", "apiextensions.k8s.io/v1", "customresourcedefinitions", "widgets."+group) {
		t.Error("the definition is there")
	}
}

func TestAnUnknownKindWaitsAloneForItsDefinition(t *testing.T) {
	w := newWorld(t)
	w.start()
	group := w.namespace + ".example.org"
	custom := object(group+"/v1", "Gadget", w.namespace, "one", nil)
	a := w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), custom, w.cm("one", "1"))
	w.entries(a)
	report := w.reported(bundleA, protocol.StateNotReady)
	if len(report.Objects) != 1 || report.Objects[0].State != "Waiting" {
		t.Errorf("got %+v, want one Waiting", report.Objects)
	}
	w.configMap("one")
	w.entries(a, w.hub.put(t, bundleB, 1, content.Options{}, definition("gadgets", "Gadget", group)))
	w.ready()
	w.get(w.namespace, group+"/v1", "gadgets", "one")
}

func TestADefinitionWithOthersObjectsIsKept(t *testing.T) {
	w := newWorld(t)
	w.start()
	group := w.namespace + ".example.org"
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, definition("things", "Thing", group)))
	w.ready()
	w.eventually("the kind is served", func() bool {
		_, err := w.resource(w.state, group+"/v1", "things").List(context.Background(), metav1.ListOptions{})
		return err == nil
	})
	w.create(w.state, group+"/v1", "things", map[string]any{"apiVersion": group + "/v1", "kind": "Thing", "metadata": map[string]any{"name": "theirs"}})
	w.removal(protocol.Removal{UID: bundleA})
	w.headGone(bundleA)
	w.get("", "apiextensions.k8s.io/v1", "customresourcedefinitions", "things."+group)
	w.get(w.state, group+"/v1", "things", "theirs")
}

func TestABundleActsAsItsServiceAccountOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.start()
	a := w.hub.put(t, bundleA, 1, content.Options{ServiceAccount: "deployer"}, w.cm("one", "1"))
	b := w.hub.put(t, bundleB, 1, content.Options{}, w.cm("other", "1"))
	w.entries(a, b)
	report := w.reported(bundleA, protocol.StateFailed)
	if !strings.Contains(report.Message, "service account") {
		t.Errorf("got %q, want the missing account named", report.Message)
	}
	if !w.gone(w.namespace, "v1", "configmaps", "one") {
		t.Fatal("it was applied with the agent's own rights")
	}
	w.configMap("other") // nobody else is held up
	w.create(w.state, "v1", "serviceaccounts", map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "deployer"}})
	w.entries(w.hub.put(t, bundleA, 2, content.Options{ServiceAccount: "deployer"}, w.cm("one", "2")), b)
	w.eventually("the account's lack of rights is told", func() bool {
		r, _ := w.hub.last()
		return len(r.Bundles) == 1 && strings.Contains(r.Bundles[0].Message, "cannot patch resource")
	})
	w.create(w.namespace, "rbac.authorization.k8s.io/v1", "roles", map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"name": "deployer"},
		"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get", "create", "patch", "delete"}}},
	})
	w.create(w.namespace, "rbac.authorization.k8s.io/v1", "rolebindings", map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]any{"name": "deployer"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "deployer", "namespace": w.state}},
	})
	w.entries(w.hub.put(t, bundleA, 3, content.Options{ServiceAccount: "deployer"}, w.cm("one", "3")), b)
	w.ready()
	w.configMap("one")
}

func TestNamespacesAreDeletedOnlyWhenOursAllowedAndEmpty(t *testing.T) {
	release := func(w *world, name string) content.Object {
		o := object("v1", "Namespace", "", name, nil)
		o.Role = content.RoleReleaseNamespace
		return o
	}
	for name, c := range map[string]struct {
		existed, foreign, allowed, deleted bool
	}{
		"ours, allowed and empty":   {allowed: true, deleted: true},
		"ours and not allowed":      {},
		"not made by us":            {existed: true, allowed: true},
		"with somebody's ConfigMap": {foreign: true, allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.existed {
				w.create("", "v1", "namespaces", namespace(w.namespace))
			}
			w.start()
			w.entries(w.hub.put(t, bundleA, 1, content.Options{Namespace: w.namespace}, release(w, w.namespace), w.cm("one", "1")))
			w.ready()
			if c.foreign {
				w.create(w.namespace, "v1", "configmaps", map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "theirs"}})
			}
			w.settle()
			w.requests.take()
			w.removal(protocol.Removal{UID: bundleA, DeleteNamespace: c.allowed})
			w.eventually("the object is gone", func() bool { return w.gone(w.namespace, "v1", "configmaps", "one") })
			if !c.deleted {
				w.headGone(bundleA)
			}
			asked := func() bool {
				w.requests.mu.Lock()
				defer w.requests.mu.Unlock()
				for _, l := range w.requests.lines {
					if strings.HasPrefix(l, "DELETE /api/v1/namespaces/"+w.namespace+"?") {
						return true
					}
				}
				return false
			}
			if c.deleted {
				w.eventually("the namespace is deleted", asked)
			} else if asked() {
				t.Error("the namespace was deleted")
			}
		})
	}
}

func TestABundleWithHooksIsHeldBeforeAnythingOfItIsApplied(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.start()
	hook := w.cm("hook", "1")
	hook.Role, hook.Hook = content.RoleHook, &content.Hook{Events: []string{"pre-install"}}
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.cm("one", "1"), hook))
	if got := w.reported(bundleA, protocol.StateHeld).Message; got != "hooks are not supported yet" {
		t.Errorf("got %q", got)
	}
	if !w.gone(w.namespace, "v1", "configmaps", "one") {
		t.Error("something of it was applied")
	}
}
