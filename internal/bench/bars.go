package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A barChart shows ratios: bars rise above one or hang below it, on a
// logarithmic axis, as twice as much and half as much are equally far off. The
// plot itself is of the logarithms, in which one is the zero that bars stand on.
type barChart struct {
	page
	groups []string
	series []series
}

func (b barChart) svg() ([]byte, error) {
	p := newPlot()
	low, high, step := b.axis()
	p.Y.Min, p.Y.Max = log(low, step), log(high, step)
	var marks plot.ConstantTicks
	for v := low; v < high*1.01; v *= step {
		marks = append(marks, plot.Tick{Value: log(v, step), Label: ratioTick(v)})
	}
	p.Y.Tick.Marker = marks
	p.NominalX(b.groups...)
	p.X.Min, p.X.Max = -0.5, float64(len(b.groups))-0.5
	b.width, b.height = 1000*px, 430*px
	group := (b.width - 2*margin - 40*px) / vg.Length(len(b.groups))
	width := min(group*0.8/vg.Length(len(b.series)), 24*px)
	for i, s := range b.series {
		offset := width * (vg.Length(i) - vg.Length(len(b.series)-1)/2)
		bars, err := s.bars(p, step, width, offset)
		if err != nil {
			return nil, err
		}
		b.legend = append(b.legend, legendEntry{s.name, bars})
	}
	zero := plotter.NewFunction(func(float64) float64 { return 0 })
	zero.Color = black
	p.Add(zero)
	return b.page.svg(p)
}

// axis is from where to where the vertical one goes, and the factor from one of
// its lines to the next: two, or ten where the figures are far apart.
func (b barChart) axis() (low, high, step float64) {
	low, high = extent(b.series, 0.5, 2)
	step = 2.0
	if high/low > 500 {
		step = 10
	}
	return math.Pow(step, math.Floor(log(low, step))), math.Pow(step, math.Ceil(log(high, step))), step
}

func log(v, base float64) float64 { return math.Log(v) / math.Log(base) }

// ratioTick is 1/2 or the like below one.
func ratioTick(v float64) string {
	if v < 1 {
		return fmt.Sprintf("1/%.0f", 1/v)
	}
	return tick(math.Round(v))
}

// bars adds the bars of a series, their spreads as thin lines, and a cross where
// a figure is missing.
func (s series) bars(p *plot.Plot, step float64, width, offset vg.Length) (*plotter.BarChart, error) {
	values := make(plotter.Values, len(s.values))
	var spreads spreadBars
	var missing plotter.XYLabels
	for i, v := range s.values {
		x := float64(i)
		switch {
		case v.known():
			values[i] = log(v.Mid, step)
			spreads.XYs = append(spreads.XYs, plotter.XY{X: x, Y: values[i]})
			spreads.YErrors = append(spreads.YErrors, struct{ Low, High float64 }{log(v.Mid/v.Least, step), log(v.Most/v.Mid, step)})
		case s.missing[i]:
			missing.XYs = append(missing.XYs, plotter.XY{X: x})
			missing.Labels = append(missing.Labels, "×")
		}
	}
	bars, err := plotter.NewBarChart(values, width-px)
	if err != nil {
		return nil, err
	}
	bars.Color, bars.Offset, bars.LineStyle.Width = s.color, offset, 0
	p.Add(bars)
	return bars, s.marks(p, spreads, missing, offset)
}

// spreadBars are the bars of errors that plotter.NewYErrorBars takes.
type spreadBars struct {
	plotter.XYs
	plotter.YErrors
}

func (s series) marks(p *plot.Plot, spreads spreadBars, missing plotter.XYLabels, offset vg.Length) error {
	if len(spreads.XYs) > 0 {
		lines, err := plotter.NewYErrorBars(spreads)
		if err != nil {
			return err
		}
		lines.CapWidth, lines.LineStyle.Color = 0, color.NRGBA{A: 0x88}
		p.Add(moved{lines, offset})
	}
	if len(missing.Labels) > 0 {
		labels, err := plotter.NewLabels(missing)
		if err != nil {
			return err
		}
		labels.Offset = vg.Point{X: offset, Y: 2 * px}
		for i := range labels.TextStyle {
			labels.TextStyle[i].Font, labels.TextStyle[i].XAlign = font.From(sans, 12*px), draw.XCenter
		}
		p.Add(labels)
	}
	return nil
}

// moved draws a plotter to the right of its place, as BarChart.Offset does bars.
type moved struct {
	plot.Plotter
	by vg.Length
}

func (m moved) Plot(c draw.Canvas, p *plot.Plot) {
	c.Min.X += m.by
	c.Max.X += m.by
	m.Plotter.Plot(c, p)
}
