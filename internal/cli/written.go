package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// writtenList is the file in an output directory that says what render wrote.
const writtenList = ".muster-render"

// written is an output directory and what is known of the files in it: a later
// run removes those that it would no longer write, and nothing else.
type written struct {
	dir  string
	root *os.Root
	// from is the repository that is rendered: others may write here too.
	from string
	// files by their name below dir: earlier ones, and those of this run.
	earlier, now map[string]writtenFile
	list         *os.File
}

type writtenFile struct{ digest, from string }

// openWritten makes the directory and reads what earlier runs wrote.
func openWritten(dir, from string) (*written, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	w := &written{dir: dir, root: root, from: from, earlier: map[string]writtenFile{}, now: map[string]writtenFile{}}
	data, err := root.ReadFile(writtenList)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, w.close())
	}
	w.read(data)
	w.list, err = root.OpenFile(writtenList, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// read takes lines of digest, repository and name; what is none is left alone.
func (w *written) read(data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) == 3 && isWrittenName(fields[2]) {
			w.earlier[fields[2]] = writtenFile{fields[0], fields[1]}
		}
	}
}

// isWrittenName tells names that render gives from any other.
func isWrittenName(name string) bool {
	return filepath.IsLocal(name) && strings.Count(name, "/") == 2 && path.Clean(name) == name && path.Ext(name) == ".yaml"
}

// write writes a file, and first that it does: a run may end at any moment.
func (w *written) write(name string, text []byte) error {
	sum := sha256.Sum256(text)
	file := writtenFile{hex.EncodeToString(sum[:]), w.from}
	if w.earlier[name] != file {
		if _, err := w.list.WriteString(file.line(name)); err != nil {
			return err
		}
	}
	w.now[name] = file
	if err := w.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return w.root.WriteFile(name, text, 0o644)
}

func (f writtenFile) line(name string) string {
	return f.digest + "\t" + f.from + "\t" + name + "\n"
}

// tidy removes what earlier runs wrote and this one did not, of one bundle only if
// one is named, and returns the names of files that somebody changed since: they stay.
func (w *written) tidy(only string) (changed []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(w.earlier)) {
		file := w.earlier[name]
		_, again := w.now[name]
		if again || file.from != w.from || only != "" && path.Base(name) != only+".yaml" {
			continue
		}
		data, err := w.root.ReadFile(name)
		sum := sha256.Sum256(data)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return changed, err
		case hex.EncodeToString(sum[:]) != file.digest:
			changed = append(changed, name)
		default:
			if err := w.remove(name); err != nil {
				return changed, err
			}
		}
		delete(w.earlier, name)
	}
	return changed, w.rewrite()
}

// remove removes a file, and its directories if nothing is left in them.
func (w *written) remove(name string) error {
	if err := w.root.Remove(name); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if w.root.Remove(dir) != nil {
			return nil // something else is in it
		}
	}
	return nil
}

// rewrite shortens the list to what is there now.
func (w *written) rewrite() error {
	maps.Copy(w.earlier, w.now)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.earlier)) {
		text.WriteString(w.earlier[name].line(name))
	}
	fresh := writtenList + ".new"
	if err := w.root.WriteFile(fresh, []byte(text.String()), 0o644); err != nil {
		return err
	}
	return w.root.Rename(fresh, writtenList)
}

func (w *written) close() error {
	if w.list != nil {
		return cmp.Or(w.list.Close(), w.root.Close())
	}
	return w.root.Close()
}

// withWritten runs render over an output directory.
func (r *rendering) withWritten(run func() error) error {
	w, err := openWritten(r.options.Output, r.fleet.repoName)
	if err != nil {
		return fmt.Errorf("write below %s: %w", r.options.Output, withoutPath(err))
	}
	defer w.close()
	r.written = w
	if err := run(); err != nil {
		return err // what could not be made anew stays as it was
	}
	changed, err := w.tidy(r.options.Bundle)
	for _, name := range changed {
		r.app.notef("%s: not removed: it was changed since render wrote it", filepath.Join(w.dir, filepath.FromSlash(name)))
	}
	if err != nil {
		return fmt.Errorf("remove what is no longer rendered from %s: %w", w.dir, err)
	}
	return nil
}
