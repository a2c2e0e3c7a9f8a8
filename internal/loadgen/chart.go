package loadgen

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// A chart shows which latency which part of the calls did not exceed. Both axes are
// logarithmic: the parts get closer to all by a factor of ten each, and latencies differ
// at 1 ms as they do at 1 s.
type chart struct {
	strings.Builder
	nines    float64       // the right end: 2 is p99
	from, to time.Duration // the lower and the upper end
}

// The drawing's measures.
const (
	width, height = 720.0, 400.0
	left, right   = 70.0, 685.0
	top, bottom   = 70.0, 345.0
)

// mostNines is the right end of an axis at most: a ten thousandth of a percent.
const mostNines = 6.0

const chartStyle = `text{font:13px system-ui,sans-serif;fill:#24292f}` +
	`.title{font-size:16px;font-weight:600}.note,.axis{fill:#57606a}.axis{font-size:12px}.grid{stroke:#d0d7de}.back{fill:#fff}` +
	`path{fill:none;stroke-width:2}.c0{stroke:#0969da}.c1{stroke:#bc4c00}.k0{fill:#0969da}.k1{fill:#bc4c00}` +
	`@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note,.axis{fill:#9198a1}.grid{stroke:#3d444d}.back{fill:#0d1117}` +
	`.c0{stroke:#4493f8}.c1{stroke:#f0883e}.k0{fill:#4493f8}.k1{fill:#f0883e}}`

// The elements of the drawing.
const (
	chartHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s"><style>%s</style><rect class="back" width="%g" height="%g"/>` + "\n"
	curve     = `<path class="c%d" d="%s"/>` + "\n"
	gridLine  = `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>` + "\n"
	label     = `<text class="axis" x="%.1f" y="%.1f" text-anchor="%s">%s</text>` + "\n"
	heading   = `<text class="%s" x="20" y="%g">%s</text>` + "\n"
	key       = `<text class="k%d" x="%g" y="%g">%s</text>` + "\n"
)

// WriteSVG writes a chart of the latencies, which reads on a light and on a dark ground.
func (res *Result) WriteSVG(w io.Writer) error {
	shown := []*Histogram{res.Latency}
	if res.Options.Streams && res.Gaps.Count() > 0 {
		shown = append(shown, res.Gaps)
	}
	c := newChart(shown)
	head := strings.Split(res.head(), "\n")[0]
	fmt.Fprintf(c, chartHead, width, height, html.EscapeString(head), chartStyle, width, height)
	title, note, _ := strings.Cut(head, ", and before that")
	fmt.Fprintf(c, heading, "title", 28.0, html.EscapeString(title))
	if note != "" {
		note = "without" + strings.TrimSuffix(note, ", which is left out")
	}
	fmt.Fprintf(c, heading, "note", 50.0, html.EscapeString(strings.TrimSpace(note)))
	c.axes()
	for i, h := range shown {
		fmt.Fprintf(c, curve, i, c.path(h))
		fmt.Fprintf(c, key, i, left+10, top+20+20*float64(i), []string{res.latencyTitle(), "time between two items of a stream"}[i])
	}
	c.WriteString("</svg>\n")
	_, err := io.WriteString(w, c.String())
	return err
}

// newChart returns a chart whose axes have room for the histograms.
func newChart(shown []*Histogram) *chart {
	c := &chart{nines: 1}
	least, most := time.Duration(math.MaxInt64), time.Microsecond
	for _, h := range shown {
		c.nines = max(c.nines, math.Ceil(math.Log10(float64(h.Count()))))
		least, most = min(least, h.Quantile(0)), max(most, h.max)
	}
	c.nines = min(c.nines, mostNines)
	c.from, c.to = 100*time.Nanosecond, 0
	for b := range borders {
		if b <= least {
			c.from = b
		}
		if c.to = b; b >= most {
			break
		}
	}
	if c.from >= c.to {
		c.to = 10 * c.from
	}
	return c
}

func (c *chart) x(nines float64) float64 { return left + (right-left)*nines/c.nines }

func (c *chart) y(d time.Duration) float64 {
	d = min(max(d, c.from), c.to)
	return bottom - (bottom-top)*math.Log(float64(d)/float64(c.from))/math.Log(float64(c.to)/float64(c.from))
}

// axes draws the grid and its labels.
func (c *chart) axes() {
	for n, name := range []string{"p0", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999"} {
		if x := c.x(float64(n)); float64(n) <= c.nines {
			fmt.Fprintf(c, gridLine, x, top, x, bottom)
			fmt.Fprintf(c, label, x, bottom+20, "middle", name)
		}
	}
	half := c.x(math.Log10(2))
	fmt.Fprintf(c, gridLine, half, top, half, bottom)
	fmt.Fprintf(c, label, half, bottom+20, "middle", "p50")
	lines := 0
	for b := range borders {
		if b >= c.from && b <= c.to {
			lines++
		}
	}
	for b := range borders {
		if b < c.from || b > c.to || lines > 12 && !decade(b) {
			continue
		}
		fmt.Fprintf(c, gridLine, left, c.y(b), right, c.y(b))
		fmt.Fprintf(c, label, left-8, c.y(b)+4, "end", b)
	}
}

// decade reports whether a border is a power of ten.
func decade(b time.Duration) bool {
	for b%10 == 0 {
		b /= 10
	}
	return b == 1
}

// path is the curve of a histogram.
func (c *chart) path(h *Histogram) string {
	var b strings.Builder
	end := min(c.nines, math.Log10(float64(max(h.Count(), 1))))
	const steps = 200
	for i := range steps + 1 {
		nines := end * float64(i) / steps
		sign := "L"
		if i == 0 {
			sign = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", sign, c.x(nines), c.y(h.Quantile(1-math.Pow(10, -nines))))
	}
	return b.String()
}
