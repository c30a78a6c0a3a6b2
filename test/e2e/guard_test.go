package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// muster runs the command line against the hub and returns what it printed.
func (s *scenario) muster(args ...string) string {
	s.t.Helper()
	binary, err := plane.Binary("", "muster")
	s.must(err)
	contract, err := s.demo.Contract()
	s.must(err)
	out, err := exec.CommandContext(s.ctx, binary, append(args, "--kubeconfig", contract.HubKubeconfig)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("muster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A commit that loses most objects of a bundle changes what it changes and
// deletes nothing until a person approves.
func TestALargeLossWaitsForApproval(t *testing.T) {
	s := begin(t, "loss")
	s.bundles("e2e-loss", "", ".")
	files, name := map[string]string{}, func(i int) string { return fmt.Sprintf("o-%02d", i) }
	for i := range 10 {
		files[name(i)+".yaml"] = settings("e2e-loss", name(i), "1")
	}
	s.must(s.clone.Write(files))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.writesOnce(cluster, configMap("e2e-loss", name(0)))
	}
	for i := 2; i < 10; i++ {
		s.must(s.clone.Remove(name(i) + ".yaml"))
	}
	s.must(s.clone.Replace(name(0)+".yaml", `"1"`, `"2"`))
	commit = s.push("Lose eight of ten")
	s.await("the loss to be held", func() error {
		var b v1alpha1.Bundle
		if err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: s.name}, &b); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionHeld) {
			return fmt.Errorf("conditions are %+v", b.Status.Conditions)
		}
		return nil
	})
	for _, cluster := range s.clusterNames() {
		s.awaitValue(cluster, "e2e-loss", name(0), "2")
	}
	s.audited()

	s.watched()
	for _, cluster := range s.clusterNames() {
		for i := 2; i < 10; i++ {
			s.expect.deletesOnce(cluster, configMap("e2e-loss", name(i)))
		}
	}
	s.muster("approve", "bundle/"+s.name, "--reason", "the test means it")
	for _, cluster := range s.clusterNames() {
		s.awaitGone(cluster, "e2e-loss", name(9))
	}
	s.awaitReady(commit)
	s.audited()
}

// A GitRepo that is deleted by mistake loses nothing: all clusters would lose
// a bundle, so a person has to approve. Then its objects go, what says
// keepResources stays, and the GitRepo is released.
func TestADeletedGitRepo(t *testing.T) {
	s := begin(t, "leaving")
	s.bundles("e2e-leaving", "", "goes")
	s.bundles("e2e-leaving", "keepResources: true\n", "stays")
	s.must(s.clone.Write(map[string]string{
		"goes/one.yaml": settings("e2e-leaving", "goes", "1"), "stays/one.yaml": settings("e2e-leaving", "stays", "1"),
	}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	repo, err := s.repo()
	s.must(err)
	s.must(s.demo.Hub.Delete(s.ctx, &repo))
	s.awaitReason(v1alpha1.ReasonLossHeld)
	s.audited()

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.deletesOnce(cluster, configMap("e2e-leaving", "goes"))
	}
	s.muster("approve", "gitrepo/"+s.name, "--reason", "it was meant")
	s.await("the GitRepo to be released", func() error {
		_, err := s.repo()
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there (%v)", err)
	})
	for _, cluster := range s.clusterNames() {
		s.awaitGone(cluster, "e2e-leaving", "goes")
	}
	s.audited()
	for _, cluster := range s.clusterNames() {
		s.awaitValue(cluster, "e2e-leaving", "stays", "1")
	}
}

// A webhook whose signature is wrong is refused and moves nothing.
func TestAWebhookWithAWrongSignature(t *testing.T) {
	s := &scenario{t: t, ctx: t.Context(), demo: fleet(t), name: lab.GitRepoName}
	contract, err := s.demo.Contract()
	s.must(err)
	s.watched()
	body := []byte(`{"ref":"refs/heads/main"}`)
	for name, signature := range map[string]string{"another key": gitserver.Sign([]byte("guess"), body), "none": ""} {
		r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, contract.Webhook.URL, bytes.NewReader(body))
		s.must(err)
		r.Header.Set("X-GitHub-Event", "push")
		r.Header.Set(contract.Webhook.Header, signature)
		answer, err := http.DefaultClient.Do(r)
		s.must(err)
		s.must(answer.Body.Close())
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("signature of %s: HTTP %d, want 401", name, answer.StatusCode)
		}
	}
	s.audited()
}

// A push that no webhook told of is found by polling.
func TestALostWebhook(t *testing.T) {
	s := begin(t, "unheard")
	s.bundles("e2e-unheard", "", ".")
	s.must(s.clone.Write(map[string]string{"one.yaml": settings("e2e-unheard", "one", "1")}))
	commit := s.push("Start")
	s.follow(nil)
	s.changeRepo(func(r *v1alpha1.GitRepo) { r.Spec.PollingInterval = &metav1.Duration{Duration: 3 * time.Second} })
	s.awaitReady(commit)

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.writesOnce(cluster, configMap("e2e-unheard", "one"))
	}
	s.must(s.clone.Replace("one.yaml", `"1"`, `"2"`))
	commit, err := s.clone.Commit(s.ctx, "Push without a word")
	s.must(err)
	s.must(s.clone.PushUnheard(s.ctx, filepath.Join(s.demo.Dir, "git", "unheard.git")))
	s.awaitReady(commit)
	s.audited()
}
