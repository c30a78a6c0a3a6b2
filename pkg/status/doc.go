// Package status folds what clusters report into counts and conditions: a sum
// over the map (bundle, cluster) -> cell, so that replacing a cell twice
// changes nothing. It is values in, values out.
package status
