package renderer

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Late says why inputs can be rendered on the cluster only, "" if the hub can:
// values that live there (helm.valuesFrom) or encrypted files (SOPS).
func Late(files []bundle.File, o v1alpha1.BundleOptions) string {
	if refs := lateValues(files, o); len(refs) > 0 {
		return "helm.valuesFrom reads " + described(refs, "the release namespace") + " on the cluster"
	}
	if name := encryptedFile(files); name != "" {
		return name + " is encrypted with SOPS, and the key is on the cluster"
	}
	return ""
}

// lateValues are what valuesFrom names, if a chart is there to read it.
func lateValues(files []bundle.File, o v1alpha1.BundleOptions) []bundle.ValuesRef {
	if o.Helm == nil || len(o.Helm.ValuesFrom) == 0 || bundle.KindOf(files, o) != bundle.KindHelm {
		return nil
	}
	return bundle.OrderValues(o.Helm.ValuesFrom)
}

// checkLate refuses inputs that lack what only the cluster or the hub could
// give: chart defaults would take the place of somebody's values.
func checkLate(in Inputs) error {
	if name := encryptedFile(in.Files); name != "" {
		return manifest.NewFault(name, 0, manifest.DecidedOnCluster, "the file is encrypted with SOPS: it is decrypted on the cluster, and never applied as it is")
	}
	if in.Kind != bundle.KindHelm {
		return nil
	}
	if hub := bundle.OrderValues(in.Options.HubValuesFrom); len(in.HubValues) < len(hub) {
		return manifest.NewFault("", 0, manifest.ValuesMissing, "hubValuesFrom: %d of %d values are there; it names %s", len(in.HubValues), len(hub), described(hub, "the workspace"))
	}
	late := lateValues(in.Files, in.Options)
	switch {
	case len(in.LateValues) >= len(late):
		return nil
	case len(in.LateValues) == 0:
		return manifest.NewFault("", 0, manifest.DecidedOnCluster, "helm.valuesFrom reads %s on the cluster: what is applied is decided there, and the chart's defaults never take the place of such values", described(late, "the release namespace"))
	}
	return manifest.NewFault("", 0, manifest.ValuesMissing, "helm.valuesFrom: %d of %d values are there; it names %s", len(in.LateValues), len(late), described(late, "the release namespace"))
}

// described lists references for people.
func described(refs []bundle.ValuesRef, otherwise string) string {
	var list []string
	for _, r := range refs {
		namespace := r.Namespace
		if namespace == "" {
			namespace = otherwise
		}
		list = append(list, r.Kind+" "+r.Name+" in "+namespace+" (key "+r.Key+")")
	}
	return strings.Join(list, ", ")
}

// sealed stands in every file that SOPS has encrypted, since its MAC is encrypted too.
var sealed = []byte("ENC[AES256_GCM")

// encryptedFile names the first file that SOPS has encrypted, "" if there is none.
func encryptedFile(files []bundle.File) string {
	for _, f := range files {
		if isEncrypted(f) {
			return f.Path
		}
	}
	return ""
}

// isEncrypted looks for the mapping `sops` with a `mac` at the top of a YAML or
// JSON file. It reads the text once and parses nothing into memory: this runs
// where strangers' aliases must not be followed.
func isEncrypted(f bundle.File) bool {
	if !bytes.Contains(f.Data, sealed) {
		return false
	}
	switch strings.ToLower(path.Ext(f.Path)) {
	case ".yaml", ".yml", ".json":
	default:
		return false
	}
	if trimmed := bytes.TrimSpace(f.Data); len(trimmed) > 0 && trimmed[0] == '{' {
		return sopsInJSON(trimmed)
	}
	return sopsInYAML(f.Data)
}

var (
	sopsKey = regexp.MustCompile(`^["']?sops["']?\s*:`)
	macKey  = regexp.MustCompile(`(^|[\s{,])["']?mac["']?\s*:`)
)

// sopsInYAML finds a line `sops:` without indentation, and `mac:` in what is indented below it or stands behind it.
func sopsInYAML(text []byte) bool {
	within := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' && line[0] != '#' {
			within = sopsKey.Match(line)
		}
		if within && macKey.Match(line) {
			return true
		}
	}
	return false
}

// sopsInJSON walks the tokens of an object: mac is a key of sops, which is a key of the whole.
func sopsInJSON(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	depth, within := 0, false
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			within = within && depth > 1
		case string:
			if within && depth == 2 && t == "mac" {
				return true
			}
			within = within || depth == 1 && t == "sops"
		}
	}
}
