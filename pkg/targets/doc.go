// Package targets decides which clusters get a bundle and with what options:
// compiled selectors, groups, first match, customizations; whom mappings let
// in from other workspaces and which namespaces policies allow. Every decision
// carries its trace. It is values in, values out.
package targets
