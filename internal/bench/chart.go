package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// A canvas is an SVG image in the making. Coordinates are pixels from the upper
// left corner.
type canvas struct {
	bytes.Buffer
}

func newCanvas(width, height float64, title string) *canvas {
	c := new(canvas)
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(c, "<title>%s</title>\n", escape(title))
	c.WriteString("<style>text{font:12px system-ui,sans-serif;fill:#222}.t{font-size:16px;font-weight:600}.n{fill:#666}.c{fill:#666;font-size:11px}</style>\n")
	fmt.Fprintf(c, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", width, height)
	c.text(margin, 26, "start", "t", title)
	return c
}

// margin is what is free around a chart, as far as there is nothing to say.
const margin = 20.0

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (c *canvas) text(x, y float64, anchor, class, s string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, escape(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func (c *canvas) rect(x, y, w, h float64, color string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, color)
}

func (c *canvas) dot(x, y float64, color string) {
	fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, color)
}

// A point is a place on a canvas.
type point struct {
	x, y float64
}

// path draws a line through the points, or fills what they surround.
func (c *canvas) path(points []point, attributes string) {
	c.WriteString(`<path d="`)
	for i, p := range points {
		fmt.Fprintf(c, "%c%.1f %.1f", "ML"[min(i, 1)], p.x, p.y)
	}
	fmt.Fprintf(c, `" %s/>`+"\n", attributes)
}

// caption writes text into as many lines as it takes, from y on.
func (c *canvas) caption(y float64, lines []string) {
	for i, s := range lines {
		c.text(margin, y+captionLine*float64(i), "start", "c", s)
	}
}

const captionLine = 15.0

// wrap breaks text between words into lines that fit into so many pixels.
func wrap(text string, width float64) (lines []string) {
	most, line := int(width/5.9), ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line+" "+word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

func (c *canvas) end() []byte {
	c.WriteString("</svg>\n")
	return c.Bytes()
}

// legend names the series in one row.
func (c *canvas) legend(y float64, series []barSeries) {
	x := margin
	for _, s := range series {
		c.rect(x, y-10, 12, 12, s.color)
		c.text(x+17, y, "start", "", s.name)
		x += 36 + 7*float64(len(s.name))
	}
}

// A scale maps values to pixels, by their logarithm.
type scale struct {
	low, high  float64 // values
	from, upto float64 // pixels
}

func (s scale) at(v float64) float64 {
	return s.from + (s.upto-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// A barSeries is one peer's figures, in a chart of bars or of lines.
type barSeries struct {
	name, color string
	values      []Spread // NaN where there is none
	missing     []bool   // of bars: there should be a figure
}

// extent is the least and the most of all figures, and of those that must be
// on the chart too.
func extent(series []barSeries, also ...float64) (low, high float64) {
	for _, s := range series {
		for _, v := range s.values {
			if v.known() {
				also = append(also, v.Least, v.Most)
			}
		}
	}
	if len(also) == 0 {
		return 1, 1
	}
	return slices.Min(also), slices.Max(also)
}

// A barChart shows ratios: bars rise above one or hang below it, on a
// logarithmic axis, as twice as much and half as much are equally far off.
type barChart struct {
	title, note string
	caption     string
	groups      []string
	series      []barSeries
}

const (
	barsWidth  = 1000.0
	barsHeight = 300.0
	barsTop    = 80.0
	barsLeft   = 62.0
)

func (b barChart) svg() []byte {
	caption := wrap(b.caption, barsWidth-2*margin)
	c := newCanvas(barsWidth, barsTop+barsHeight+44+captionLine*float64(len(caption)), b.title)
	c.caption(barsTop+barsHeight+48, caption)
	c.text(margin, 44, "start", "n", b.note)
	c.legend(66, b.series)
	axis, step := b.axis()
	for v := axis.low; v < axis.high*1.01; v *= step {
		c.line(barsLeft, axis.at(v), barsWidth-margin, axis.at(v), "#e4e4e4")
		c.text(barsLeft-8, axis.at(v)+4, "end", "n", ratioTick(v))
	}
	group := (barsWidth - margin - barsLeft) / float64(len(b.groups))
	width := min(group*0.8/float64(len(b.series)), 24)
	for i, name := range b.groups {
		middle := barsLeft + group*(float64(i)+0.5)
		x := middle - width*float64(len(b.series))/2
		for _, s := range b.series {
			s.bar(c, axis, x, width, i)
			x += width
		}
		c.text(middle, barsTop+barsHeight+22, "middle", "", name)
	}
	c.line(barsLeft, axis.at(1), barsWidth-margin, axis.at(1), "#222")
	return c.end()
}

// axis is the vertical one, and the factor from one of its lines to the next:
// two, or ten where the figures are far apart.
func (b barChart) axis() (scale, float64) {
	low, high := extent(b.series, 0.5, 2)
	step := 2.0
	if high/low > 500 {
		step = 10
	}
	round := func(v float64, up func(float64) float64) float64 {
		return math.Pow(step, up(math.Log(v)/math.Log(step)))
	}
	return scale{round(low, math.Floor), round(high, math.Ceil), barsTop + barsHeight, barsTop}, step
}

// ratioTick is 1/2 or the like below one.
func ratioTick(v float64) string {
	if v < 1 {
		return fmt.Sprintf("1/%.0f", 1/v)
	}
	return tick(math.Round(v))
}

// bar draws the figure i of a series, from one, with its spread as a thin line.
func (s barSeries) bar(c *canvas, axis scale, x, width float64, i int) {
	v := s.values[i]
	if !v.known() {
		if s.missing[i] {
			c.text(x+width/2, axis.at(1)-4, "middle", "", "×")
		}
		return
	}
	top, bottom := axis.at(max(v.Mid, 1)), axis.at(min(v.Mid, 1))
	c.rect(x+0.5, top, width-1, bottom-top, s.color)
	c.line(x+width/2, axis.at(v.Least), x+width/2, axis.at(v.Most), "#00000088")
}

// A lineChart shows figures against a size, both on logarithmic axes, with
// their spread as a band.
type lineChart struct {
	title, xName, yName string
	caption             string
	xTick, yTick        func(float64) string
	xs                  []float64
	series              []barSeries
}

const (
	lineWidth  = 760.0
	lineHeight = 420.0
)

func (l lineChart) svg() []byte {
	caption := wrap(l.caption, lineWidth-2*margin)
	c := newCanvas(lineWidth, lineHeight+12+captionLine*float64(len(caption)), l.title)
	c.caption(lineHeight+12, caption)
	c.legend(50, l.series)
	low, high := extent(l.series)
	x := scale{l.xs[0], l.xs[len(l.xs)-1], 64, lineWidth - margin - 10}
	y := scale{low / 1.2, high * 1.2, lineHeight - 56, 82}
	for _, v := range ticks(y.low, y.high) {
		c.line(x.from, y.at(v), x.upto, y.at(v), "#e4e4e4")
		c.text(x.from-8, y.at(v)+4, "end", "n", l.yTick(v))
	}
	last := math.Inf(-1)
	for _, v := range l.xs {
		c.line(x.at(v), y.from, x.at(v), y.upto, "#f0f0f0")
		if at := x.at(v); at-last > 34 {
			c.text(at, lineHeight-36, "middle", "n", l.xTick(v))
			last = at
		}
	}
	c.text((x.from+x.upto)/2, lineHeight-14, "middle", "", l.xName)
	c.text(margin, 70, "start", "", l.yName)
	for _, s := range l.series {
		l.draw(c, x, y, s)
	}
	return c.end()
}

func (l lineChart) draw(c *canvas, x, y scale, s barSeries) {
	var mid, upper, lower []point
	for i, v := range s.values {
		if v.known() {
			at := x.at(l.xs[i])
			mid = append(mid, point{at, y.at(v.Mid)})
			upper, lower = append(upper, point{at, y.at(v.Most)}), append(lower, point{at, y.at(v.Least)})
		}
	}
	slices.Reverse(lower)
	c.path(append(upper, lower...), fmt.Sprintf(`fill="%s" fill-opacity="0.15"`, s.color))
	c.path(mid, fmt.Sprintf(`fill="none" stroke="%s" stroke-width="2"`, s.color))
	for _, p := range mid {
		c.dot(p.x, p.y, s.color)
	}
}

// ticks are the round numbers between low and high: 1, 2, 5, 10 and so on, or
// only the powers of ten where those are enough.
func ticks(low, high float64) (all []float64) {
	for _, steps := range [][]float64{{1}, {1, 2, 5}} {
		all = nil
		for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
			for _, s := range steps {
				if v := s * power; v >= low && v <= high {
					all = append(all, v)
				}
			}
		}
		if len(all) >= 4 {
			break
		}
	}
	return all
}
