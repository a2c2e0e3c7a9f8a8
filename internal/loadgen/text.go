package loadgen

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// thousands is a number with commas.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// figure is a rate as a person reads it.
func figure(f float64) string {
	if f >= 100 || f == math.Trunc(f) {
		return thousands(int64(math.Round(f)))
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// A page is text that is written piece by piece.
type page struct{ strings.Builder }

func (p *page) line(name, format string, args ...any) {
	fmt.Fprintf(p, "%-12s %s\n", name, fmt.Sprintf(format, args...))
}

// WriteText writes the result for a person.
func (res *Result) WriteText(w io.Writer) error {
	p := new(page)
	p.WriteString(res.head() + "\n\n")
	res.counts(p)
	for _, v := range res.Verdicts() {
		p.line("note", "%s", v)
	}
	o := &res.Options
	p.histogram(res.latencyTitle(), res.Latency)
	if o.Streams && res.Gaps.Count() > 0 {
		p.histogram("time between two items of a stream", res.Gaps)
	}
	if len(res.Parts) > 0 {
		p.ramp(res)
	}
	_, err := io.WriteString(w, p.String())
	return err
}

// head says what was measured.
func (res *Result) head() string {
	o := &res.Options
	var text string
	switch {
	case o.Closed:
		text = plural(int64(o.InFlight), strings.TrimSuffix(o.noun(), "s")) + " at a time"
	case o.To != 0:
		text = fmt.Sprintf("from %s to %s %s a second", figure(o.Rate), figure(o.To), o.noun())
	default:
		text = fmt.Sprintf("%s %s a second", figure(o.Rate), o.noun())
	}
	text += " for " + o.For.String()
	if o.Call != nil {
		text = fmt.Sprintf("%s: %s, on %s", res.What, text, plural(int64(o.Conns), "connection"))
	}
	if o.Warmup > 0 {
		text += fmt.Sprintf(", and before that %s of warm-up, which is left out", o.Warmup)
	}
	if res.Interrupted {
		text += fmt.Sprintf("\ninterrupted: what follows is of the first %s", short(res.Length))
	}
	return text
}

func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// counts writes how many of what there were.
func (res *Result) counts(p *page) {
	o := &res.Options
	done := "answered"
	if o.Call == nil {
		done = "opened"
	} else if o.Streams {
		done = "read"
	}
	p.line(o.noun(), "%s sent, %s %s, %s failed%s", thousands(res.Sent), thousands(res.Answered), done, thousands(res.Failed), res.rest())
	p.line("a second", "%s sent, %s %s", figure(res.rate(res.Sent)), figure(res.rate(res.InTime)), done)
	if res.Items > 0 {
		p.line("items", "%s, %s a second, %s MB a second", thousands(res.Items), figure(res.rate(res.Items)), strconv.FormatFloat(res.rate(res.Bytes)/1e6, 'f', 2, 64))
	}
	if o.Call == nil {
		p.line("held", "%s at the end, %s lost", thousands(res.Held), thousands(res.Lost))
	} else if !o.Closed {
		p.line("in flight", "%s at half time, %s at the end", thousands(res.HalfInFlight), thousands(res.EndInFlight))
	}
	if o.Cut > 0 {
		p.line("cuts", "%s: %s resumed, %s with a new session, %s not back; back after %s at p50, %s at most", thousands(res.Cuts.Cut),
			thousands(res.Cuts.Resumed), thousands(res.Cuts.Anew), thousands(res.Cuts.Gone), short(res.Outages.Quantile(0.5)), short(res.Outages.max))
	}
	if o.Seq != nil {
		p.line("sequence", "%s values, %s lost, %s doubled", thousands(res.Seq.Values), thousands(res.Seq.Lost), thousands(res.Seq.Doubled))
	}
	for _, f := range res.Errors {
		p.line("error", "%s times: %s", thousands(f.Count), f)
	}
}

// rest is what became of the others, if there are some.
func (res *Result) rest() (text string) {
	if res.Unfinished > 0 {
		text += fmt.Sprintf(", %s not answered", thousands(res.Unfinished))
	}
	if res.Unsent > 0 {
		text += fmt.Sprintf("; %s not sent", thousands(res.Unsent))
	}
	return text
}

func (f *Failure) String() string {
	switch {
	case f.Type != "":
		return fmt.Sprintf("%s (%s, code %d)", f.Example, f.Type, f.Code)
	case f.Code != 0:
		return fmt.Sprintf("%s (code %d)", f.Example, f.Code)
	}
	return f.Example
}

func (res *Result) latencyTitle() string {
	o := &res.Options
	title := "latency"
	switch {
	case o.Call == nil:
		title = "time to open"
	case o.Streams:
		title = "time to the first item"
	}
	if !o.Closed {
		title += ", from when it was due"
	}
	return title
}

// barWidth is how many characters the longest bar has.
const barWidth = 40

// histogram writes percentiles, and bars beneath them.
func (p *page) histogram(title string, h *Histogram) {
	fmt.Fprintf(p, "\n%s\n", title)
	if h.Count() == 0 {
		p.WriteString("  nothing to measure\n")
		return
	}
	for _, q := range quantiles {
		fmt.Fprintf(p, "  %-8s %s\n", q.name, short(h.Quantile(q.q)))
	}
	fmt.Fprintf(p, "  %-8s %s\n\n", "max", short(h.max))
	bars := h.bars()
	most := int64(1)
	for _, b := range bars {
		most = max(most, b.count)
	}
	for _, b := range bars {
		n := int((b.count*barWidth + most - 1) / most) // one that is not empty has a bar
		fmt.Fprintf(p, "  up to %-6s %-*s %s\n", b.upTo, barWidth, strings.Repeat("█", n), thousands(b.count))
	}
}

// ramp writes a line for each part of a ramp.
func (p *page) ramp(res *Result) {
	o := &res.Options
	fmt.Fprintf(p, "\n%-16s %9s %9s %9s\n", "rate", "p50", "p99", "max")
	for i, h := range res.Parts {
		rates := figure(o.rateAt(i)) + "–" + figure(o.rateAt(i+1))
		if h.Count() == 0 {
			fmt.Fprintf(p, "%-16s nothing to measure\n", rates)
			continue
		}
		fmt.Fprintf(p, "%-16s %9s %9s %9s\n", rates, short(h.Quantile(0.5)), short(h.Quantile(0.99)), short(h.max))
	}
}

// rateAt is the rate when a part of a ramp begins.
func (o *Options) rateAt(part int) float64 {
	return o.Rate + (o.to()-o.Rate)*float64(part)/rampParts
}

// Line is what has been measured so far, in one line.
func (l Live) Line() string {
	text := fmt.Sprintf("%s of %s: %s done", l.Elapsed.Round(100*time.Millisecond), l.Length, thousands(l.Answered))
	if l.Warming {
		text = fmt.Sprintf("%s of %s: warm-up", l.Elapsed.Round(100*time.Millisecond), l.Length)
	}
	if l.Items > 0 {
		text += fmt.Sprintf(", %s items", thousands(l.Items))
	}
	if l.Failed > 0 {
		text += fmt.Sprintf(", %s failed", thousands(l.Failed))
	}
	return text + fmt.Sprintf(", %s in flight, p50 %s, p99 %s", thousands(l.InFlight), short(l.P50), short(l.P99))
}
