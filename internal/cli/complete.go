package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTimeout bounds how long a shell waits for names from the hub.
const completeTimeout = 2 * time.Second

const noFiles = cobra.ShellCompDirectiveNoFileComp

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeFixed completes a flag from a fixed list.
func completeFixed(c *cobra.Command, flag string, values ...string) {
	err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, noFiles))
	if err != nil {
		panic(err) // the flag does not exist: a programmer's error
	}
}

// completeKindAndName completes the kind, then names from the hub.
func (a *app) completeKindAndName(flags *hubFlags) completion {
	return func(c *cobra.Command, given []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			k, err := kindNamed(given[0])
			if err != nil {
				return nil, noFiles
			}
			return flags.names(c.Context(), k, ""), noFiles
		}
		word, _, slash := strings.Cut(typed, "/")
		if !slash {
			return plurals(), noFiles
		}
		k, err := kindNamed(word)
		if err != nil {
			return nil, noFiles
		}
		return flags.names(c.Context(), k, word+"/"), noFiles
	}
}

// completeCluster completes one cluster name.
func (a *app) completeCluster(flags *hubFlags) completion {
	return func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, noFiles
		}
		k, err := kindNamed("clusters")
		if err != nil {
			return nil, noFiles
		}
		return flags.names(c.Context(), k, ""), noFiles
	}
}

// completeHeld completes what can hold something, then the holds of the one named.
func (a *app) completeHeld(flags *hubFlags) completion {
	return func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given) == 0 {
			return append(append(flags.namesOf(c, "bundle"), flags.namesOf(c, "gitrepo")...), hubRestore), noFiles
		}
		word, name, _ := strings.Cut(given[0], "/")
		k, err := kindNamed(word)
		if err != nil {
			return nil, noFiles
		}
		return flags.holdsOf(c.Context(), k, name), noFiles
	}
}

// namesOf returns kind/name for each.
func (f *hubFlags) namesOf(c *cobra.Command, word string) []string {
	k, err := kindNamed(word)
	if err != nil {
		return nil
	}
	return f.names(c.Context(), k, word+"/")
}

// names asks the hub; a hub that does not answer completes nothing.
func (f *hubFlags) names(ctx context.Context, k kind, prefix string) []string {
	h, err := f.dial()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	q := query{kind: k, workspace: h.workspace}
	table, err := h.table(ctx, q, k.path(q.namespace(h)))
	if err != nil {
		return nil
	}
	var names []string
	for _, row := range table.Rows {
		if name, ok := rowName(row); ok {
			names = append(names, prefix+strings.TrimPrefix(name, machinePrefix(q)))
		}
	}
	return names
}

func machinePrefix(q query) string {
	if !q.kind.Machine {
		return ""
	}
	return q.workspace + "."
}

func (f *hubFlags) holdsOf(ctx context.Context, k kind, name string) []string {
	h, err := f.dial()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	holds, err := h.holds(ctx, k.path(h.workspace)+"/"+name)
	if err != nil {
		return nil
	}
	var ids []string
	for _, hold := range holds {
		ids = append(ids, hold.ID+"\t"+hold.Reason)
	}
	return ids
}
