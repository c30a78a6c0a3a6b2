package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/util/version"
)

// DefaultKubeVersion is what charts are told where no cluster is known.
const DefaultKubeVersion = "v1.36.0"

// Facts about a cluster that a chart may ask for.
type Facts struct {
	// KubeVersion and APIVersions are .Capabilities; empty = as in `helm template`.
	KubeVersion string   `json:"kubeVersion,omitempty"`
	APIVersions []string `json:"apiVersions,omitempty"`
	// Labels of the cluster are .Values.global.fleet.clusterLabels.
	Labels map[string]string `json:"labels,omitempty"`
}

// Questions about a cluster. They are stored with content, so their names stay.
const (
	// questionEverything asks for all capabilities: a template looks at them in a way that cannot be recorded.
	questionEverything = "everything"
	// questionLabels asks for the cluster's labels.
	questionLabels  = "clusterLabels"
	questionVersion = "KubeVersion.Version"
	questionMajor   = "KubeVersion.Major"
	questionMinor   = "KubeVersion.Minor"
	// questionHas and questionRange are followed by what is asked for.
	questionHas   = "APIVersions.Has "
	questionRange = "Chart.kubeVersion "
)

// Answer returns what a render is told that asks a question about a cluster
// with these facts: equal answers to all that it asks give equal objects. An
// unknown question, one of a later version say, has the answer "".
func Answer(question string, f Facts) string {
	switch question {
	case questionEverything:
		return digest(Facts{KubeVersion: f.kubeVersion().Version, APIVersions: f.apiVersions()})
	case questionLabels:
		return digest(Facts{Labels: f.Labels})
	case questionVersion:
		return f.kubeVersion().Version
	case questionMajor:
		return f.kubeVersion().Major
	case questionMinor:
		return f.kubeVersion().Minor
	}
	if api, ok := strings.CutPrefix(question, questionHas); ok {
		return strconv.FormatBool(f.apiVersions().Has(api))
	}
	if wanted, ok := strings.CutPrefix(question, questionRange); ok {
		return strconv.FormatBool(chartutil.IsCompatibleRange(wanted, f.kubeVersion().Version))
	}
	return ""
}

func digest(f Facts) string {
	data, err := json.Marshal(f)
	if err != nil {
		return "" // texts always encode
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

func (f Facts) apiVersions() chartutil.VersionSet {
	if len(f.APIVersions) == 0 {
		return chartutil.DefaultVersionSet
	}
	return f.APIVersions
}

// versionText is what clusters say of themselves: v1.31.2, v1.31.2+k3s1, v1.30.5-gke.1014001.
var versionText = regexp.MustCompile(`^v?[0-9]{1,5}\.[0-9]{1,5}(\.[0-9]{1,5})?([-+][0-9A-Za-z.+-]{1,80})?$`)

// check refuses facts that are none.
func (f Facts) check() error {
	if f.KubeVersion != "" && !versionText.MatchString(f.KubeVersion) {
		return fmt.Errorf("kubernetes version %.40q is none, such as v1.36.0", f.KubeVersion)
	}
	return nil
}

// kubeVersion keeps what follows the numbers, as an installation on the cluster
// would see it: charts ask for "+k3s" and "-gke".
func (f Facts) kubeVersion() chartutil.KubeVersion {
	text := f.KubeVersion
	if text == "" {
		text = DefaultKubeVersion
	}
	v := chartutil.KubeVersion{Version: "v" + strings.TrimPrefix(text, "v")}
	if parsed, err := version.ParseGeneric(text); err == nil {
		v.Major, v.Minor = fmt.Sprint(parsed.Major()), fmt.Sprint(parsed.Minor())
	}
	return v
}

// capabilities as Helm has them.
func (f Facts) capabilities() *chartutil.Capabilities {
	c := chartutil.DefaultCapabilities.Copy()
	c.KubeVersion, c.APIVersions = f.kubeVersion(), f.apiVersions()
	return c
}
