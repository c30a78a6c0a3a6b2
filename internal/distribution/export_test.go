package distribution

// What tests of this package look at beside its API.
var (
	Exceeds     = exceeds
	MeasureLoss = measureLoss
	FormatIndex = formatIndex
	ParseIndex  = parseIndex
)

// LossInput is lossInput.
type LossInput = lossInput

// BuildWants makes wants of a variant and want per cluster.
func BuildWants(clusters map[string]Variant, generation int64) Wants {
	b := newWantsBuilder()
	for name, v := range clusters {
		b.set(name, v, Want{Generation: generation})
	}
	return b.build()
}
