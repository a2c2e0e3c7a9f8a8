package loadgen

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
)

// A Template makes the parameters of one call after the other. In the text of an argument
// {seq} stands for the number of the call, from 0, {rand:1..10} for a random number and
// {line:FILE} for a random line of a file.
type Template struct {
	method *openrpc.Method
	args   []templateArgument
	open   dynamic.Open
	fixed  *dynamic.Params // of all calls, if they are the same
}

type templateArgument struct {
	dynamic.Argument
	parts []part // of its text
}

// A part returns a part of the text for the call n.
type part func(n int64) string

var placeholder = regexp.MustCompile(`\{(seq|rand:-?\d+\.\.-?\d+|line:[^{}]+)\}`)

// NewTemplate returns a template of arguments. The error is the one of the first call's
// parameters. A stream's file is read again for each call.
func NewTemplate(m *openrpc.Method, args []string, open dynamic.Open) (*Template, error) {
	t := &Template{method: m, open: open}
	varies := len(m.Extension.Streams.Results) > 0 // a cursor is moved in the parameters
	for _, text := range args {
		a, err := t.argument(text)
		if err != nil {
			return nil, err
		}
		varies = varies || a.Stream || len(a.parts) > 1
		t.args = append(t.args, a)
	}
	first, err := t.make(0, func(int64) {})
	if err == nil && !varies {
		t.fixed = first
	}
	return t, err
}

func (t *Template) argument(text string) (a templateArgument, err error) {
	if a.Argument, err = dynamic.ParseArgument(text); err != nil {
		return a, err
	}
	switch {
	case a.Stream && a.Text == "-":
		return a, errors.New("the standard input can be read once, and each call would read it")
	case a.Stream:
		return a, nil
	case a.File:
		b, err := read(t.open, a.Text)
		if err != nil {
			return a, err
		}
		a.Text, a.File = string(b), false
		return a, nil
	}
	a.parts, err = parse(a.Text, t.open)
	return a, err
}

// Params returns the parameters of the call n. sent is called with the size of each item of
// streams, by the goroutines that send them.
func (t *Template) Params(n int64, sent func(bytes int64)) (*dynamic.Params, error) {
	if t.fixed != nil {
		return t.fixed, nil
	}
	return t.make(n, sent)
}

func (t *Template) make(n int64, sent func(int64)) (*dynamic.Params, error) {
	args := make([]dynamic.Argument, len(t.args))
	for i, a := range t.args {
		args[i] = a.Argument
		if len(a.parts) > 1 {
			var b strings.Builder
			for _, p := range a.parts {
				b.WriteString(p(n))
			}
			args[i].Text = b.String()
		}
	}
	var mu sync.Mutex
	before := map[string]int64{}
	return dynamic.NewParams(t.method, args, t.open, func(name string, read int64) {
		mu.Lock()
		defer mu.Unlock()
		sent(read - before[name])
		before[name] = read
	})
}

// parse returns the parts of a text. One without a placeholder has one.
func parse(text string, open dynamic.Open) (parts []part, err error) {
	for {
		at := placeholder.FindStringSubmatchIndex(text)
		if at == nil {
			return append(parts, literal(text)), nil
		}
		p, err := vary(text[at[2]:at[3]], open)
		if err != nil {
			return nil, err
		}
		parts = append(parts, literal(text[:at[0]]), p)
		text = text[at[1]:]
	}
}

func literal(text string) part { return func(int64) string { return text } }

// vary returns the part that a placeholder stands for.
func vary(text string, open dynamic.Open) (part, error) {
	kind, of, _ := strings.Cut(text, ":")
	switch kind {
	case "seq":
		return func(n int64) string { return strconv.FormatInt(n, 10) }, nil
	case "rand":
		return random(of)
	}
	b, err := read(open, of)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return func(int64) string { return strings.TrimSuffix(lines[rand.IntN(len(lines))], "\r") }, nil
}

func random(of string) (part, error) {
	low, high, _ := strings.Cut(of, "..")
	from, err1 := strconv.ParseInt(low, 10, 32)
	to, err2 := strconv.ParseInt(high, 10, 32)
	if err := errors.Join(err1, err2); err != nil || from > to {
		return nil, fmt.Errorf("{rand:%s}: want two numbers of 32 bits, the lower one first", of)
	}
	return func(int64) string { return strconv.FormatInt(from+rand.Int64N(to-from+1), 10) }, nil
}

// mostOfFile is the size of the largest file of lines or of a parameter.
const mostOfFile = 16 << 20

func read(open dynamic.Open, name string) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostOfFile+1))
	if len(b) > mostOfFile {
		return nil, &os.PathError{Op: "read", Path: name, Err: errors.New("more than 16 MiB")}
	}
	return b, err
}
