package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode"

	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Bounds on what all archives of one chart unpack to; archives within archives count too.
const (
	maxUnpackedBytes = 32 << 20
	maxUnpackedFiles = 10_000
	// maxChartFile is Helm's own bound on one file.
	maxChartFile = 5 << 20
	// maxTarBytes also counts headers and padding.
	maxTarBytes = 2 * maxUnpackedBytes
	// maxChartDepth bounds charts within charts.
	maxChartDepth = 16
)

var (
	bom   = []byte("\xef\xbb\xbf")
	drive = regexp.MustCompile(`^[a-zA-Z]:`)
)

// room is what may still be unpacked.
type room struct {
	bytes int64
	files int
}

func newRoom() *room { return &room{bytes: maxUnpackedBytes, files: maxUnpackedFiles} }

// unpack reads a chart archive into memory. Its first directory is cut off, as
// Helm does, whatever it is called. Links, names that leave the archive and
// names given twice are refused: tools differ in what they make of them.
func (r *room) unpack(place string, data []byte) ([]*loader.BufferedFile, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, manifest.NewFault(place, 0, manifest.RenderFailed, "not a chart archive: %v", err)
	}
	limited := &io.LimitedReader{R: unzipped, N: maxTarBytes}
	archive := tar.NewReader(limited)
	var files []*loader.BufferedFile
	seen := map[string]bool{}
	for {
		header, err := archive.Next()
		switch {
		case limited.N <= 0:
			return nil, manifest.NewFault(place, 0, manifest.LimitExceeded, "the archive unpacks to more than %d bytes", maxTarBytes)
		case errors.Is(err, io.EOF):
			return files, nil
		case err != nil:
			return nil, manifest.NewFault(place, 0, manifest.RenderFailed, "read chart archive: %v", err)
		case header.Typeflag == tar.TypeDir, header.Typeflag == tar.TypeXGlobalHeader:
			continue
		}
		f, err := r.entry(place, archive, header, seen)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
}

// entry judges one file of an archive and reads it.
func (r *room) entry(place string, archive *tar.Reader, header *tar.Header, seen map[string]bool) (*loader.BufferedFile, error) {
	if header.Typeflag != tar.TypeReg {
		return nil, manifest.NewFault(place, 0, manifest.PathRefused, "%s in the archive is a link or a device", shortName(header.Name))
	}
	name, reason := nameInside(header.Name)
	if reason != "" {
		return nil, manifest.NewFault(place, 0, manifest.PathRefused, "%s in the archive %s", shortName(header.Name), reason)
	}
	if seen[name] {
		return nil, manifest.NewFault(place, 0, manifest.RenderFailed, "%s is in the archive twice", shortName(name))
	}
	seen[name] = true
	content, err := r.read(archive, header)
	if err != nil {
		return nil, manifest.NewFault(place, 0, manifest.LimitExceeded, "%s in the archive: %v", shortName(name), err)
	}
	return &loader.BufferedFile{Name: name, Data: content}, nil
}

// read takes a file out of an archive as far as there is room.
func (r *room) read(archive *tar.Reader, header *tar.Header) ([]byte, error) {
	r.files--
	r.bytes -= header.Size
	switch {
	case header.Size > maxChartFile:
		return nil, errors.New("larger than 5 MiB")
	case r.files < 0:
		return nil, errors.New("the chart's archives hold more than 10000 files")
	case r.bytes < 0:
		return nil, errors.New("the chart's archives unpack to more than 32 MiB")
	}
	content, err := io.ReadAll(io.LimitReader(archive, maxChartFile))
	if err != nil {
		return nil, err
	}
	return bytes.TrimPrefix(content, bom), nil
}

// nameInside is the name of a file below the archive's first directory, or why there is none.
func nameInside(written string) (name, reason string) {
	text := strings.ReplaceAll(written, `\`, "/") // archives made on Windows
	text = strings.TrimPrefix(text, "./")
	first, below, nested := strings.Cut(text, "/")
	clean := path.Clean(below)
	switch {
	case len(written) > 1024 || strings.ContainsFunc(written, unicode.IsControl):
		return "", "is no name"
	case path.IsAbs(text) || path.IsAbs(below) || drive.MatchString(text) || drive.MatchString(clean):
		return "", "has an absolute name"
	case first == ".." || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains("/"+below+"/", "/../"):
		return "", "has a name that leaves the chart"
	case !nested || clean == ".":
		return "", "is not in the chart's directory"
	}
	return clean, ""
}

func shortName(name string) string {
	if len(name) > 100 {
		return name[:100] + "…"
	}
	return name
}
