package distribution

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
)

// questionLabels asks for a cluster's labels; see package helm.
const questionLabels = "clusterLabels"

// labelWords are what a chart says that may read the cluster's labels: it names
// them, or executes texts, and values that only the cluster has may name them.
var labelWords = [][]byte{[]byte("clusterLabels"), []byte("tpl")}

// What is looked into of a chart's archives; in more there may be anything.
const (
	maxUnpacked = 64 << 20
	maxNested   = 8
)

var errTooMuch = errors.New("more than is looked into")

// mayReadLabels tells whether a chart among the files may read the cluster's
// labels. It may say yes once too often, never no.
func mayReadLabels(files []bundle.File) bool {
	left := int64(maxUnpacked)
	return slices.ContainsFunc(files, func(f bundle.File) bool {
		mentions, err := mentionsLabels(f.Path, f.Data, &left, 0)
		return mentions || err != nil
	})
}

func mentionsLabels(name string, data []byte, left *int64, depth int) (bool, error) {
	if strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar.gz") {
		return archiveMentionsLabels(data, left, depth+1)
	}
	return slices.ContainsFunc(labelWords, func(word []byte) bool { return bytes.Contains(data, word) }), nil
}

func archiveMentionsLabels(data []byte, left *int64, depth int) (bool, error) {
	if depth > maxNested {
		return false, errTooMuch
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return false, fmt.Errorf("unzip a chart: %w", err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("unpack a chart: %w", err)
		}
		file, err := io.ReadAll(io.LimitReader(archive, *left+1))
		if err != nil {
			return false, fmt.Errorf("unpack a chart: %w", err)
		}
		if *left -= int64(len(file)); *left < 0 {
			return false, errTooMuch
		}
		if mentions, err := mentionsLabels(header.Name, file, left, depth); mentions || err != nil {
			return mentions, err
		}
	}
}
