package distribution

import "github.com/muster-dev/muster/internal/renderer"

// What tests of this package look at beside its API.
var (
	Exceeds       = exceeds
	MeasureLoss   = measureLoss
	FormatIndex   = formatIndex
	ParseIndex    = parseIndex
	AsksLabels    = asksLabels
	MayReadLabels = mayReadLabels
)

// FactBook is factBook.
type FactBook = factBook

// Class is class.
func (b *factBook) Class(cluster string, f renderer.Facts) int { return b.class(cluster, f) }

// LossInput is lossInput.
type LossInput = lossInput

// Known makes an index of known objects.
func Known(objects []Keyed) index { return index{objects: objects} }

// OnCluster is the index of what a cluster renders by itself.
func OnCluster() index { return index{inputs: "files"} }

// Index is what guards are told of content.
type Index = index

// BuildWants makes wants of a variant and want per cluster.
func BuildWants(clusters map[string]Variant, generation int64) Wants {
	b := newWantsBuilder()
	for name, v := range clusters {
		b.set(name, v, Want{Generation: generation})
	}
	return b.build()
}
