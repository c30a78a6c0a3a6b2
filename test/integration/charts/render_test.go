package charts_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/lab/plane"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const token = "muster-join-abc"

// variants are values under which every template's branches are taken.
func variants() map[string]struct {
	chart  string
	values values
} {
	type variant = struct {
		chart  string
		values values
	}
	return map[string]variant{
		"crds":         {"muster-crds", nil},
		"hub as it is": {"muster", nil},
		"one replica":  {"muster", values{"replicas": 1}},
		"hub with it all": {"muster", values{
			"replicas": 3, "externalURL": "https://muster.example.com", "tls": values{"secretName": "muster-tls"}, "pprof": true,
			"imagePullSecrets": []any{values{"name": "registry"}}, "extraArgs": []any{"--render-workers=2"},
			"workspaces":   []any{values{"name": "default"}, values{"name": "team-made-by-chart", "create": true}},
			"nodeSelector": values{"disk": "ssd"}, "tolerations": []any{values{"operator": "Exists"}}, "priorityClassName": "system-cluster-critical",
			"affinity": values{"nodeAffinity": values{}}, "podAnnotations": values{"a": "b"}, "podLabels": values{"c": "d"},
			"service":                   values{"type": "LoadBalancer", "annotations": values{"e": "f"}},
			"topologySpreadConstraints": []any{values{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}},
		}},
		"agent as it is":     {"muster-agent", nil},
		"agent with a token": {"muster-agent", values{"token": token, "rbac": values{"mode": "cluster-admin"}}},
		"agent with it all": {"muster-agent", values{
			"tokenSecretName": "mine", "caBundle": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "metricsListen": "",
			"rbac": values{"mode": "minimal", "impersonate": []any{"deployer"}}, "imagePullSecrets": []any{values{"name": "registry"}},
			"nodeSelector": values{"disk": "ssd"}, "tolerations": []any{values{"operator": "Exists"}}, "priorityClassName": "system-cluster-critical",
			"affinity": values{"nodeAffinity": values{}}, "podAnnotations": values{"a": "b"}, "podLabels": values{"c": "d"},
		}},
	}
}

func TestChartsAreAcceptedByAnAPIServer(t *testing.T) {
	c := admin(t)
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			namespace := "charts-" + strings.ReplaceAll(name, " ", "-")
			if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
				t.Fatal(err)
			}
			found := install(t, c, v.chart, namespace, v.values)
			if len(found) == 0 {
				t.Error("the chart holds nothing")
			}
			for _, object := range found {
				if object.GetKind() == "Deployment" {
					requireHardened(t, object)
				}
				removeShared(t, c, object)
			}
		})
	}
}

// removeShared removes bindings of the cluster: whom they bind cannot be changed by the next variant.
func removeShared(t *testing.T, c client.Client, object *unstructured.Unstructured) {
	t.Helper()
	if object.GetKind() != "ClusterRoleBinding" {
		return
	}
	if err := c.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// requireHardened checks what the "restricted" pod security standard asks for, and a bit more.
func requireHardened(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: pod security context %+v", d.Name, s)
	}
	for _, container := range pod.Containers {
		s := container.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: container security context %+v", d.Name, s)
		}
		if container.Resources.Requests.Memory().IsZero() || container.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: resources %+v", d.Name, container.Resources)
		}
		if probes := container.LivenessProbe != nil && container.ReadinessProbe != nil; !probes && len(container.Ports) > 0 {
			t.Errorf("%s: a port and no probes", d.Name)
		}
	}
}

func TestSchemasRefuseWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		chart  string
		values values
		want   string
	}{
		"a misspelt key":         {"muster", values{"replica": 3}, "replica"},
		"no replicas":            {"muster", values{"replicas": 0}, "minimum"},
		"a URL without a scheme": {"muster", values{"externalURL": "muster.example.com"}, "externalURL"},
		"a workspace's name":     {"muster", values{"workspaces": []any{values{"name": "Not_A_Name"}}}, "name"},
		"an argument":            {"muster", values{"extraArgs": []any{"rm -rf"}}, "extraArgs"},
		"values for CRDs":        {"muster-crds", values{"keep": true}, "keep"},
		"a token that is none":   {"muster-agent", values{"token": "secret"}, "token"},
		"an unknown mode":        {"muster-agent", values{"rbac": values{"mode": "root"}}, "mode"},
		"two tokens":             {"muster-agent", values{"token": token, "tokenSecretName": "mine"}, "not both"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(tc.chart, "x", tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("render: got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// admin is an administrator's client of an API server with Muster's CRDs.
func admin(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(plane.HubForTest(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
