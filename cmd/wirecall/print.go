package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/dynamic"
)

// A printer prints values: indented on a terminal, as they came everywhere else.
type printer struct {
	w        io.Writer
	terminal bool
	raw      bool // strings without quotation marks
}

func newPrinter(s *session, cmd *cli.Command) printer {
	return printer{w: s.stdout, terminal: isTerminal(s.stdout), raw: cmd.Bool("raw")}
}

// isTerminal reports whether w is a terminal that may show colors: see no-color.org.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// value prints a result. One of several has its name before it.
func (p *printer) value(name string, v dynamic.JSON) error {
	if len(v) == 0 || name == "" && string(v) == "null" {
		return nil
	}
	if p.raw {
		var text string
		if json.Unmarshal(v, &text) == nil {
			return p.line(name, text)
		}
	}
	if p.terminal {
		var b bytes.Buffer
		if json.Indent(&b, v, "", "  ") == nil {
			return p.line(name, b.String())
		}
	}
	return p.line(name, string(v))
}

// item prints an item of a stream, on one line.
func (p *printer) item(name string, v dynamic.JSON) error {
	var text string
	if p.raw && json.Unmarshal(v, &text) == nil {
		return p.line(name, text)
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return p.line(name, string(v))
	}
	return p.line(name, b.String())
}

func (p *printer) line(name, text string) error {
	if name != "" {
		text = p.color("36", name+":") + " " + text
	}
	_, err := fmt.Fprintln(p.w, text)
	return err
}

// color is text in one of a terminal's colors, where there is one.
func (p *printer) color(code, text string) string {
	if !p.terminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
