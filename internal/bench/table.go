package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is printed as text in columns, or as Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(row ...string) { t.rows = append(t.rows, row) }

func (r *report) heading(s string) {
	if r.md {
		s = "### " + s + "\n"
	}
	fmt.Fprintln(r.w, s)
}

func (r *report) item(format string, args ...any) { fmt.Fprintf(r.w, "- "+format+"\n", args...) }

func (r *report) table(title string, t table) {
	if title != "" {
		r.heading(strings.ToUpper(title[:1]) + title[1:])
	}
	if r.md {
		fmt.Fprintln(r.w, t.markdown())
	} else {
		fmt.Fprintln(r.w, t.text())
	}
}

// text is the table in columns, the first to the left and the others to the
// right.
func (t table) text() string {
	width := make([]int, len(t.head))
	for _, row := range t.all() {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.all() {
		for i, cell := range row {
			gap := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case i == len(row)-1 && len(row) == 2: // words, not figures
				b.WriteString("  " + cell)
			case i == 0:
				b.WriteString(cell + gap)
			default:
				b.WriteString("  " + gap + cell)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (t table) all() [][]string { return append([][]string{t.head}, t.rows...) }

func (t table) markdown() string {
	var b strings.Builder
	for i, row := range t.all() {
		for j, cell := range row {
			row[j] = strings.ReplaceAll(cell, "|", `\|`)
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| ---" + strings.Repeat(" | ---:", len(row)-1) + " |\n")
		}
	}
	return b.String()
}
