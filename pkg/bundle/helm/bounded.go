package helm

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	texttemplate "text/template"
)

// Bounds on what one call in a value template may make. They are far above
// honest use: "${ repeat 999999999 "x" }" is not.
const (
	// maxTemplateOutput bounds what a value template prints, and one text in it.
	maxTemplateOutput = 1 << 20
	maxTemplateItems  = 10_000
)

// bounded is a buffer that refuses to grow beyond left.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("prints more than %d bytes", maxTemplateOutput)
	}
	return b.Buffer.Write(p)
}

// boundFunctions takes the place of those functions whose result can be much
// larger than what they are given.
func boundFunctions(f texttemplate.FuncMap) {
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		if random, ok := f[name].(func(int) string); ok {
			f[name] = boundCount(func(count int) (string, error) { return random(count), nil })
		}
	}
	if random, ok := f["randBytes"].(func(int) (string, error)); ok {
		f["randBytes"] = boundCount(random)
	}
	f["repeat"] = func(count int, text string) (string, error) {
		if count > 0 && len(text) > maxTemplateOutput/count {
			return "", errTooLong
		}
		return strings.Repeat(text, max(count, 0)), nil
	}
	f["indent"] = indent
	f["nindent"] = func(spaces int, text string) (string, error) {
		text, err := indent(spaces, text)
		return "\n" + text, err
	}
	boundSequences(f)
}

var errTooLong = fmt.Errorf("a text of more than %d bytes", maxTemplateOutput)

func boundCount(random func(int) (string, error)) func(int) (string, error) {
	return func(count int) (string, error) {
		if err := tooMany(float64(count)); err != nil {
			return "", err
		}
		return random(max(count, 0))
	}
}

// tooMany takes a float64, since counts of hostile numbers overflow an int.
func tooMany(count float64) error {
	if math.Abs(count) > maxTemplateItems {
		return fmt.Errorf("more than %d items", maxTemplateItems)
	}
	return nil
}

func indent(spaces int, text string) (string, error) {
	lines := strings.Count(text, "\n") + 1
	if spaces > 0 && lines > maxTemplateOutput/spaces {
		return "", errTooLong
	}
	pad := strings.Repeat(" ", max(spaces, 0))
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad), nil
}

// boundSequences wraps functions that count.
func boundSequences(f texttemplate.FuncMap) {
	if until, ok := f["until"].(func(int) []int); ok {
		f["until"] = func(count int) ([]int, error) {
			if err := tooMany(float64(count)); err != nil {
				return nil, err
			}
			return until(count), nil
		}
	}
	if step, ok := f["untilStep"].(func(int, int, int) []int); ok {
		f["untilStep"] = func(start, stop, by int) ([]int, error) {
			if err := tooMany(stepCount(start, stop, by)); err != nil {
				return nil, err
			}
			return step(start, stop, by), nil
		}
	}
	if seq, ok := f["seq"].(func(...int) string); ok {
		f["seq"] = func(numbers ...int) (string, error) {
			if err := tooMany(seqCount(numbers)); err != nil {
				return "", err
			}
			return seq(numbers...), nil
		}
	}
}

// stepCount is negative where the step leads away, and then nothing is counted.
func stepCount(start, stop, by int) float64 {
	if by == 0 {
		return 0
	}
	return max(0, (float64(stop)-float64(start))/float64(by))
}

// seqCount counts like seq: last; first, last; first, step, last.
func seqCount(n []int) float64 {
	switch len(n) {
	case 1:
		return float64(n[0])
	case 2:
		return float64(n[1]) - float64(n[0])
	case 3:
		return stepCount(n[0], n[2], n[1])
	}
	return 0
}
