package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeChart puts a chart into the repository: a Secret with a password that is
// drawn anew at each render, and a ConfigMap.
func (s *scenario) writeChart(version, value string) {
	s.t.Helper()
	s.must(s.clone.Write(map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: app\nversion: " + version + "\n",
		"templates/secret.yaml": `apiVersion: v1
kind: Secret
metadata:
  name: password
  labels: {helm.sh/chart: "app-{{ .Chart.Version }}"}
data:
  password: {{ randAlphaNum 24 | b64enc }}
  cluster: {{ .Values.cluster | b64enc }}
`,
		"templates/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n  value: " + value + "\n",
	}))
}

// passwords of all clusters.
func (s *scenario) passwords(namespace string) map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, cluster := range s.clusterNames() {
		var secret corev1.Secret
		s.must(s.demo.Cluster(cluster).Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: "password"}, &secret))
		all[cluster] = string(secret.Data["password"])
	}
	return all
}

// A password that a chart draws is each cluster's own, stays when the chart
// changes, and is not drawn anew by a manager that starts with no memory.
func TestAPasswordThatAChartDraws(t *testing.T) {
	s := begin(t, "password")
	s.bundles("e2e-password", "helm: {values: {cluster: '${ .ClusterName }'}}\n", ".")
	s.writeChart("1.0.0", "one")
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)
	first := s.passwords("e2e-password")
	drawn := map[string]string{}
	for cluster, password := range first {
		if other, twice := drawn[password]; twice || len(password) != 24 {
			t.Errorf("%s and %s have the password %q", cluster, other, password)
		}
		drawn[password] = cluster
	}

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.writesOnce(cluster, configMap("e2e-password", "settings"), "secrets/e2e-password/password")
	}
	s.writeChart("1.1.0", "two")
	commit = s.push("Upgrade the chart")
	s.awaitReady(commit)
	for _, cluster := range s.clusterNames() {
		s.awaitValue(cluster, "e2e-password", "settings", "two")
	}
	s.audited()
	if diff := cmp.Diff(first, s.passwords("e2e-password")); diff != "" {
		t.Errorf("passwords after an upgrade (-before +after):\n%s", diff)
	}

	s.watched()
	before := s.pids().Manager
	s.must(syscall.Kill(before, syscall.SIGKILL))
	s.must(s.demo.AwaitRestart(s.ctx, func(p lab.PIDs) int { return p.Manager }, before))
	s.must(s.clone.Write(map[string]string{"README.md": "Nothing that is rendered.\n"}))
	s.awaitReady(s.push("Change no template"))
	s.audited()
	if diff := cmp.Diff(first, s.passwords("e2e-password")); diff != "" {
		t.Errorf("passwords after the manager died (-before +after):\n%s", diff)
	}
}

// A bundle whose values live on the cluster is held with that reason: nothing is
// deployed with chart defaults, and what ran before stays.
func TestValuesThatLiveOnTheCluster(t *testing.T) {
	s := begin(t, "late")
	s.bundles("e2e-late", "", ".")
	s.must(s.clone.Write(map[string]string{
		"Chart.yaml":           "apiVersion: v2\nname: app\nversion: 1.0.0\n",
		"values.yaml":          "value: default\n",
		"templates/value.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: value}\ndata: {value: {{ .Values.value | quote }}}\n",
	}))
	s.bundles("e2e-late", "helm: {values: {value: from the file}}\n", ".")
	commit := s.push("Start")
	s.follow(map[string]string{"region": "eu"})
	s.awaitReady(commit)
	s.awaitValue("eu-1", "e2e-late", "value", "from the file")

	s.watched()
	s.bundles("e2e-late", "helm:\n  valuesFrom:\n  - secretKeyRef: {name: values}\n", ".")
	s.push("Take values from the cluster")
	s.await("the bundle to be held", func() error { return s.heldBecause("late", "helm.valuesFrom") })
	s.awaitValue("eu-1", "e2e-late", "value", "from the file")
	s.audited()

	s.watched()
	s.expect.writesOnce("eu-1", configMap("e2e-late", "value"))
	s.bundles("e2e-late", "helm: {values: {value: again}}\n", ".")
	s.awaitReady(s.push("Say the value again"))
	s.awaitValue("eu-1", "e2e-late", "value", "again")
	s.audited()
}

// heldBecause tells whether a Bundle says that a cluster is held for a reason.
func (s *scenario) heldBecause(name, reason string) error {
	var b v1alpha1.Bundle
	if err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: name}, &b); err != nil {
		return err
	}
	for _, c := range b.Status.NotReady {
		if c.State == "Held" && strings.Contains(c.Message, reason) {
			return nil
		}
	}
	return fmt.Errorf("no cluster is held because of %s: %+v", reason, b.Status.NotReady)
}
