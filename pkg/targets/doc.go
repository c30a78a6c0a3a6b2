// Package targets decides which clusters get a bundle and with what options:
// compiled selectors, groups, first match, customizations. Every decision
// carries its trace. It is values in, values out.
package targets
