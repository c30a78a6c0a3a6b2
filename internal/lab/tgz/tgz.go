// Package tgz packs chart archives for tests.
package tgz

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"testing"
)

// File is one file of an archive; a chart's lie in a directory of its name.
type File struct{ Name, Text string }

// Pack returns a gzipped tar archive of files, in their order. Equal files give equal bytes.
func Pack(tb testing.TB, files ...File) []byte {
	tb.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, f := range files {
		err := archive.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Text)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = archive.Write([]byte(f.Text))
		}
		if err != nil {
			tb.Fatalf("pack %s: %v", f.Name, err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		tb.Fatalf("pack: %v", err)
	}
	return out.Bytes()
}
