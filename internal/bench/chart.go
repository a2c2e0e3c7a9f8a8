package main

import (
	"bytes"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// px is a pixel as browsers count them.
const px = vg.Inch / 96

// captionLine is the height of a line of the caption.
const captionLine = 15 * px

// margin is what is free around a chart.
const margin = 16 * px

var (
	black = color.Gray{0x22}
	gray  = color.Gray{0x66}
	faint = color.Gray{0xe4}
	sans  = font.Font{Typeface: "Liberation", Variant: "Sans"}
)

// style is text of a size in pixels.
func style(size vg.Length, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: font.From(sans, size*px), Handler: plot.DefaultTextHandler}
}

// A series is one peer's figures, in a chart of bars or of lines.
type series struct {
	name    string
	color   color.Color
	values  []Spread // not known where there is none
	missing []bool   // of bars: there should be a figure
}

// A page is what is around a plot: a title and a legend above, a caption below.
type page struct {
	width, height vg.Length // without the caption
	title, note   string
	caption       string
	legend        []legendEntry
}

type legendEntry struct {
	name  string
	thumb plot.Thumbnailer
}

// svg draws the page with a plot on it.
func (pg page) svg(p *plot.Plot) ([]byte, error) {
	caption := style(11, gray)
	lines := wrap(pg.caption, pg.width-2*margin, caption)
	below := captionLine*vg.Length(len(lines)) + margin
	canvas := vgsvg.New(pg.width, pg.height+below)
	c := draw.New(canvas)
	c.FillPolygon(color.White, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	c = draw.Crop(c, margin, -margin, margin, -margin)
	above := pg.head(c)
	p.Draw(draw.Crop(c, 0, 0, below, -above))
	for i, line := range lines {
		c.FillText(caption, vg.Point{X: c.Min.X, Y: c.Min.Y + below - margin - captionLine*vg.Length(i+1)}, line)
	}
	var out bytes.Buffer
	_, err := canvas.WriteTo(&out)
	// Where that font is missing another may stand for it: vgsvg names no other.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,sans-serif")), err
}

// head draws the title, the note and the legend, in a row, and returns how much
// room they take.
func (pg page) head(c draw.Canvas) vg.Length {
	c.FillText(style(16, black), vg.Point{X: c.Min.X, Y: c.Max.Y - 14*px}, pg.title)
	c.FillText(style(12, gray), vg.Point{X: c.Min.X, Y: c.Max.Y - 32*px}, pg.note)
	x := vg.Length(0)
	for _, e := range pg.legend {
		l := plot.NewLegend()
		l.Top, l.Left, l.ThumbnailWidth, l.TextStyle = true, true, 12*px, style(12, black)
		l.Add(e.name, e.thumb)
		at := draw.Crop(c, x, 0, 0, -40*px)
		l.Draw(at)
		x += l.Rectangle(at).Size().X + 16*px
	}
	return 68 * px
}

// wrap breaks text between words into lines that fit.
func wrap(text string, width vg.Length, sty draw.TextStyle) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && sty.Width(line+" "+word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// newPlot is a plot in the style of these charts, with lines across it.
func newPlot() *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = font.From(sans, 12*px), font.From(sans, 12*px)
		a.Tick.Label.Color, a.LineStyle.Color, a.Tick.LineStyle.Color = gray, gray, gray
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	p.Add(grid)
	return p
}

// extent is the least and the most of all figures, and of those that must be
// on the chart too.
func extent(all []series, also ...float64) (low, high float64) {
	for _, s := range all {
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
