package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A terminal shows lines above the one that is being typed. Where the input is
// no terminal, or not one that stty knows, it is just lines.
type terminal struct {
	in   io.Reader
	keys bool // come one by one, and are shown by us

	mu     sync.Mutex
	out    io.Writer
	line   []byte // typed so far
	escape bool   // amid an arrow key or the like, which are not for us
}

func newTerminal(in io.Reader, out io.Writer) *terminal { return &terminal{in: in, out: out} }

// byKey makes the terminal give us every key, until restore.
func (t *terminal) byKey() (restore func()) {
	saved, err := t.stty("-g")
	if err == nil {
		_, err = t.stty("-icanon", "-echo")
	}
	if err != nil {
		return func() {}
	}
	t.keys = true
	t.draw()
	return func() {
		t.stty(saved)
		fmt.Fprintln(t.out)
	}
}

func (t *terminal) stty(args ...string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok {
		return "", os.ErrInvalid
	}
	cmd := exec.Command("stty", args...)
	cmd.Stdin = f
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// show writes a line. What others have sent must not steer our terminal.
func (t *terminal) show(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, fmt.Sprintf(format, args...))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys {
		text = "\r\x1b[K" + text
	}
	fmt.Fprintln(t.out, text)
	t.draw()
}

// draw writes the line that is being typed once more.
func (t *terminal) draw() {
	if t.keys {
		fmt.Fprintf(t.out, "\r\x1b[K> %s", t.line)
	}
}

// lines are the lines that are typed, until the input ends. It calls typing at
// every key that is not the end of one, where keys are seen at all.
func (t *terminal) lines(ctx context.Context, typing func()) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for b, err := range t.chunks(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range b {
				line, ended, end := t.key(key)
				switch {
				case end:
					return
				case ended && !yield(line, nil):
					return
				}
			}
			if t.begun() {
				typing()
			}
		}
	}
}

// key takes in one byte. It returns the line that this has ended, or reports the
// end of the input.
func (t *terminal) key(b byte) (line string, ended, end bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.draw()
	switch {
	case t.escape:
		t.escape = b < '@' || b == '['
	case b == 0x1b:
		t.escape = t.keys
	case b == '\n':
		line, t.line = string(t.line), nil
		return line, true, false
	case b == 4: // Control-D
		return "", false, len(t.line) == 0
	case b == 8 || b == 127:
		_, n := utf8.DecodeLastRune(t.line)
		t.line = t.line[:len(t.line)-n]
	case b >= ' ':
		t.line = append(t.line, b)
	}
	return "", false, false
}

func (t *terminal) begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys && len(t.line) > 0
}

// chunks reads the input on a goroutine of its own, so that ctx can end the
// waiting. The goroutine's last Read ends with the input.
func (t *terminal) chunks(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		chunks, failed := make(chan []byte), make(chan error, 1)
		go func() {
			for {
				b := make([]byte, 1024)
				n, err := t.in.Read(b)
				if n > 0 {
					select {
					case chunks <- b[:n]:
					case <-ctx.Done():
						return
					}
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
		for {
			select {
			case b := <-chunks:
				if !yield(b, nil) {
					return
				}
			case err := <-failed:
				if err != io.EOF {
					yield(nil, err)
				}
				return
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}
