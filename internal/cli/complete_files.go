package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// completeDirectory completes the directory of a repository.
func completeDirectory(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, noFiles
}

// completePair completes why: a directory, a bundle in it, a cluster of the inventory.
func completePair(flags *fileFlags) completion {
	return func(c *cobra.Command, given []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(given) == 0 {
			return completeDirectory(c, given, typed)
		}
		f := readQuietly(flags, given[0])
		switch {
		case f == nil:
		case len(given) == 1:
			return f.bundleNames(), noFiles
		case len(given) == 2:
			return f.clusterNames(), noFiles
		}
		return nil, noFiles
	}
}

// completeNames completes a flag with names of the repository that was typed before it.
func completeNames(c *cobra.Command, flag string, flags *fileFlags, names func(*fleet) []string) {
	err := c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given) == 0 {
			return nil, noFiles
		}
		if f := readQuietly(flags, given[0]); f != nil {
			return names(f), noFiles
		}
		return nil, noFiles
	})
	if err != nil {
		panic(err) // the flag does not exist: a programmer's error
	}
}

// readQuietly is nil if there is nothing to complete from.
func readQuietly(flags *fileFlags, dir string) *fleet {
	f, err := flags.load(dir, strings.NewReader(""))
	if err != nil {
		return nil
	}
	return f
}

func (f *fleet) bundleNames() []string {
	var names []string
	for _, b := range f.byName() {
		names = append(names, b.Name)
	}
	return append(names, f.read.Broken...)
}

func (f *fleet) clusterNames() []string {
	var names []string
	for _, c := range f.inventory.clusters {
		names = append(names, c.Name)
	}
	return names
}
