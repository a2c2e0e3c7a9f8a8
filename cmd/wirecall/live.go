package main

import (
	"fmt"
	"io"
	"os"

	"github.com/wirecall/wirecall/internal/loadgen"
)

// A liveLine is the last line of a terminal, which says how far a run is. Where there is
// no terminal it is nothing.
type liveLine struct{ w io.Writer }

func (s *session) liveLine() liveLine {
	if !isTerminal(s.stderr) {
		return liveLine{}
	}
	return liveLine{s.stderr}
}

func (l liveLine) show(now loadgen.Live) {
	if l.w != nil {
		fmt.Fprint(l.w, "\r\x1b[K"+now.Line())
	}
}

func (l liveLine) clear() {
	if l.w != nil {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}

// write writes a file of the command's folder.
func (s *session) write(name string, content func(io.Writer) error) error {
	f, err := os.Create(s.path(name))
	if err != nil {
		return fmt.Errorf("wirecall: %w", err)
	}
	if err := content(f); err != nil {
		f.Close()
		return fmt.Errorf("wirecall: %s: %w", name, err)
	}
	return f.Close()
}
