// Package volatile treats the values that a chart makes anew at every render:
// they are create-only, so what lives on the cluster is kept. It works on
// decoded JSON only and knows no client.
package volatile
