package lab

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// introduction says where everything is and names four things to try, as
// commands that can be pasted as they stand.
func introduction(c Contract, dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe hub and %d clusters follow %s\n", len(c.Clusters), c.Git)
	fmt.Fprintf(&b, "  logs and audit logs: %s   hub: --kubeconfig %s\n", c.Logs, c.HubKubeconfig)
	fmt.Fprintf(&b, "  look at it: %s get bundles --kubeconfig %s\n", filepath.Join(c.Bin, "muster"), c.HubKubeconfig)
	if c.GitRepo == "" || !isExample(c) {
		b.WriteString("\nPush to the repository and watch the table. Ctrl-C ends everything.\n")
		return b.String()
	}
	for i, try := range tries(c, filepath.Join(dir, "clone")) {
		fmt.Fprintf(&b, "\n%d. %s\n", i+1, try.what)
		for _, command := range try.commands {
			fmt.Fprintf(&b, "     %s\n", command)
		}
	}
	b.WriteString("\nCtrl-C ends everything. What runs where:\n")
	return b.String()
}

// isExample says whether the fleet is the one that tries are written for.
func isExample(c Contract) bool {
	names := map[string]bool{}
	for _, cluster := range c.Clusters {
		names[cluster.Name] = true
	}
	return names["eu-1"] && names["us-1"]
}

// try is one thing to try.
type try struct {
	what     string
	commands []string
}

func tries(c Contract, clone string) []try {
	git := fmt.Sprintf("git -C %s -c user.name=you -c user.email=you@localhost", clone)
	push := func(message string) string {
		return git + " commit -qam '" + message + "' && git -C " + clone + " push -q"
	}
	kubeconfig := func(cluster string) string { return filepath.Join(filepath.Dir(c.HubKubeconfig), cluster) }
	muster := filepath.Join(c.Bin, "muster")
	return []try{
		{"Push an edit, and see it on every cluster (apply takes a fraction of a second):", []string{
			"git clone -q " + c.Git + " " + clone,
			"sed -i 's/BANNER: .*/BANNER: Hello, fleet/' " + clone + "/apps/storefront/base/settings.yaml",
			push("Greet the fleet"),
			kubectl(kubeconfig("eu-1"), "-n storefront get configmap storefront -o yaml", "/api/v1/namespaces/storefront/configmaps/storefront", ""),
		}},
		{"Move a label: us-1 becomes a canary, so edge-proxy and the backups leave it, and storefront takes the canary's overlay:", []string{
			kubectl(c.HubKubeconfig, "label clusters.muster.dev us-1 env=canary --overwrite",
				"/apis/muster.dev/v1alpha1/namespaces/default/clusters/us-1",
				`-X PATCH -H 'Content-Type: application/merge-patch+json' -d '{"metadata":{"labels":{"env":"canary"}}}'`),
		}},
		{"Delete an object by hand; this bundle says correctDrift, so it comes back:", []string{
			kubectl(kubeconfig("eu-1"), "delete priorityclass platform-critical", "/apis/scheduling.k8s.io/v1/priorityclasses/platform-critical", "-X DELETE"),
			kubectl(kubeconfig("eu-1"), "get priorityclass platform-critical", "/apis/scheduling.k8s.io/v1/priorityclasses/platform-critical", ""),
		}},
		{"Break a manifest; nothing is deleted, the last good revision stays, and the GitRepo says file and line:", []string{
			"echo 'data: [' >> " + clone + "/platform/baseline/roles.yaml",
			push("Break a manifest"),
			muster + " get gitrepos fleet -o wide --kubeconfig " + c.HubKubeconfig,
		}},
	}
}

// kubectl is the command with kubectl if this machine has it, else with curl
// and the certificates of the kubeconfig.
func kubectl(kubeconfig, args, path, curlArgs string) string {
	if _, err := exec.LookPath("kubectl"); err == nil {
		return "kubectl --kubeconfig " + kubeconfig + " " + args
	}
	auth := fmt.Sprintf("$(awk '/server:/{print $2}' %s)", kubeconfig)
	return strings.TrimSpace(fmt.Sprintf("curl -sS --cacert %[1]s.ca --cert %[1]s.crt --key %[1]s.key %[2]s \"%[3]s%[4]s\"", kubeconfig, curlArgs, auth, path))
}
