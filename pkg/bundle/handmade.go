package bundle

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// HandMade reads a Bundle that a user wrote: its resources become Files, from
// which Kind follows, and its options are judged as those of a fleet.yaml are.
// With an error among the problems the bundle keeps what was live.
func HandMade(name string, spec v1alpha1.BundleSpec) (Bundle, []Problem) {
	r := &reading{loader: &loader{}, c: candidate{}}
	r.options.BundleOptions, r.options.TargetCustomizations = spec.BundleOptions, spec.TargetCustomizations
	r.options.TargetCustomizationMode = spec.TargetCustomizationMode
	r.options.DependsOn, r.options.RolloutStrategy, r.options.Rollout = spec.DependsOn, spec.RolloutStrategy, spec.Rollout
	r.addResources(spec.Resources)
	r.refuseLookAlikes()
	r.add(r.options.judge("")...)
	r.judgeFiles(r.all)
	r.refuseFetched(spec)
	b := Bundle{Name: name, Path: ".", Spec: spec, Files: r.all, Kind: KindOf(r.all, spec.BundleOptions), Unsupported: r.unsupportedKeys()}
	problems := r.outcome(b, false).problems
	refuseHeld(problems)
	sortProblems(problems)
	return b, problems
}

// refuseFetched keeps a chart from being rendered that nobody fetches: only the
// charts of a GitRepo's bundles are.
func (r *reading) refuseFetched(spec v1alpha1.BundleSpec) {
	refs := RemoteCharts(r.all, spec)
	if len(refs) == 0 {
		return
	}
	const key = "helm.chart"
	r.hold(key)
	message := fmt.Sprintf("not supported yet: %s (%s is not fetched for a Bundle made by hand; add its files to resources)", key, refs[0].Chart)
	r.add(warningAt(Position{}, CodeNotSupported, message+keepsLastGood))
}

// refuseHeld makes errors of what keeps a bundle from being deployed: a Bundle
// made by hand is on the hub already.
func refuseHeld(problems []Problem) {
	for i, p := range problems {
		if p.Code == CodeNotSupported && strings.HasSuffix(p.Message, keepsLastGood) {
			problems[i].Severity = Error
		}
	}
}

func (r *reading) addResources(resources []v1alpha1.BundleResource) {
	size := 0
	for i, res := range resources {
		name := res.Name
		if name == "" {
			name = fmt.Sprintf("resource-%d.yaml", i) // Fleet lets it be empty
		}
		clean, err := cleanPath(name)
		if err == nil && strings.HasPrefix(clean, fetchedCharts) {
			err = fmt.Errorf("path %q is where fetched charts are kept", name)
		}
		if err != nil {
			r.add(errorAt(Position{}, CodeInvalidPath, fmt.Sprintf("resources[%d]: %v", i, err)))
			continue
		}
		data, err := decodeResource(res)
		if size += len(data); err == nil && size > maxBundleBytes {
			err = errTooLarge
		}
		if err != nil {
			r.add(errorAt(Position{File: clean}, CodeUnreadable, fmt.Sprintf("resources[%d] cannot be read: %v", i, err)))
			continue
		}
		r.all = append(r.all, File{Path: clean, Data: data})
	}
	slices.SortFunc(r.all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// decodeResource undoes Fleet's encodings; what it unpacks to is bounded.
func decodeResource(res v1alpha1.BundleResource) ([]byte, error) {
	if res.Encoding == "" {
		return []byte(res.Content), nil
	}
	packed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(res.Content))
	if err != nil || res.Encoding == "base64" {
		return packed, err
	}
	if res.Encoding != "base64+gz" {
		return nil, fmt.Errorf("unknown encoding %q", res.Encoding)
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(zr, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = errTooLarge
	}
	return data, errors.Join(err, zr.Close())
}
