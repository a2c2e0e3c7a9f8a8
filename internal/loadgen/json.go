package loadgen

import (
	"encoding/json"
	"io"
	"time"
)

// quantiles are those that are reported.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}}

// WriteJSON writes the result as JSON. Times are in seconds and rates a second.
func (res *Result) WriteJSON(w io.Writer) error {
	o := &res.Options
	v := map[string]any{
		"what": res.noun(), "closed": o.Closed, "seconds": res.Length.Seconds(), "warmup": o.Warmup.Seconds(), "interrupted": res.Interrupted,
		"connections": o.Conns, "inFlightBound": o.InFlight,
		"sent": res.Sent, "answered": res.Answered, "failed": res.Failed, "unfinished": res.Unfinished, "unsent": res.Unsent,
		"sentRate": res.rate(res.Sent), "answeredRate": res.rate(res.InTime),
		"inFlightAtEnd": res.EndInFlight, "errors": append([]*Failure{}, res.Errors...),
		"latency": summary(res.Latency), "generatorLate": summary(res.Late), "notes": append([]string{}, res.Verdicts()...),
	}
	if !o.Closed {
		v["rate"], v["rateAtEnd"], v["due"] = o.Rate, o.to(), res.Due
	}
	if res.Items > 0 {
		v["items"], v["itemRate"], v["bytes"], v["gaps"] = res.Items, res.rate(res.Items), res.Bytes, summary(res.Gaps)
	}
	if o.Call == nil {
		v["held"], v["lost"] = res.Held, res.Lost
	}
	if o.Cut > 0 {
		v["cuts"], v["outages"] = res.Cuts, summary(res.Outages)
	}
	if o.Seq != nil {
		v["sequence"] = res.Seq
	}
	var parts []any
	for _, h := range res.Parts {
		parts = append(parts, summary(h))
	}
	if parts != nil {
		v["parts"] = parts
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// noun is what was measured.
func (res *Result) noun() string {
	if res.What != "" {
		return res.What
	}
	return res.Options.noun()
}

// summary is a histogram as JSON, in seconds.
func summary(h *Histogram) map[string]any {
	v := map[string]any{"count": h.Count(), "mean": h.Mean().Seconds(), "min": h.min.Seconds(), "max": h.max.Seconds()}
	for _, q := range quantiles {
		v[q.name] = h.Quantile(q.q).Seconds()
	}
	var bars []map[string]any
	for _, b := range h.bars() {
		bars = append(bars, map[string]any{"upTo": b.upTo.Seconds(), "count": b.count})
	}
	if bars != nil {
		v["histogram"] = bars
	}
	return v
}

// short is a duration with three digits.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
