package main

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// A lineChart shows figures against a size, both on logarithmic axes, with
// their spread as a band.
type lineChart struct {
	page
	xName, yName string
	xTick, yTick func(float64) string
	xs           []float64
	series       []series
}

func (l lineChart) svg() ([]byte, error) {
	p := newPlot()
	l.axes(p)
	l.width, l.height = 760*px, 440*px
	for i, s := range l.series {
		line, dots, err := l.draw(p, s, glyphs[i%len(glyphs)])
		if err != nil {
			return nil, err
		}
		l.legend = append(l.legend, legendEntry{s.name, marked{line, dots}})
	}
	return l.page.svg(p)
}

// glyphs are the marks of the lines, in their order.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.PlusGlyph{}}

// marked is a line and its marks in a legend.
type marked struct {
	line *plotter.Line
	dots *plotter.Scatter
}

// Thumbnail implements plot.Thumbnailer.
func (m marked) Thumbnail(c *draw.Canvas) {
	m.line.Thumbnail(c)
	m.dots.Thumbnail(c)
}

func (l lineChart) axes(p *plot.Plot) {
	low, high := extent(l.series)
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Label.Text, p.Y.Label.Text = l.xName, l.yName
	p.X.Min, p.X.Max = l.xs[0], l.xs[len(l.xs)-1]
	p.Y.Min, p.Y.Max = low/1.2, high*1.2
	var x, y plot.ConstantTicks
	last := math.Inf(-1)
	for _, v := range l.xs {
		label := ""
		if at := math.Log(v/p.X.Min) / math.Log(p.X.Max/p.X.Min); at-last > 0.05 { // or they would overlap
			label, last = l.xTick(v), at
		}
		x = append(x, plot.Tick{Value: v, Label: label})
	}
	for _, v := range ticks(p.Y.Min, p.Y.Max) {
		y = append(y, plot.Tick{Value: v, Label: l.yTick(v)})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = x, y
}

// draw adds the line of a series, with dots, and the band of its spread.
func (l lineChart) draw(p *plot.Plot, s series, mark draw.GlyphDrawer) (*plotter.Line, *plotter.Scatter, error) {
	var mid, upper, lower plotter.XYs
	for i, v := range s.values {
		if v.known() {
			mid = append(mid, plotter.XY{X: l.xs[i], Y: v.Mid})
			upper, lower = append(upper, plotter.XY{X: l.xs[i], Y: v.Most}), append(lower, plotter.XY{X: l.xs[i], Y: v.Least})
		}
	}
	line := &plotter.Line{XYs: mid, LineStyle: plotter.DefaultLineStyle}
	line.Color, line.Width = s.color, 2*px
	dots := &plotter.Scatter{XYs: mid, GlyphStyle: draw.GlyphStyle{Color: s.color, Radius: 3.5 * px, Shape: mark}}
	if len(mid) == 0 {
		return line, dots, nil
	}
	slices.Reverse(lower)
	band, err := plotter.NewPolygon(append(upper, lower...))
	if err != nil {
		return nil, nil, err
	}
	r, g, b, _ := s.color.RGBA()
	band.Color, band.LineStyle.Width = color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0x26}, 0
	p.Add(band, line, dots)
	return line, dots, nil
}
