package dynamic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/wirecall/wirecall/rpc/gen1"
)

// newUpload returns the stream of an argument, whose file is read while it is sent.
func newUpload(a Argument, open Open, progress func(string, int64)) (*gen1.Stream, error) {
	f, err := open(a.Text)
	if err != nil {
		return nil, err
	}
	stream := gen1.Send(func(yield func(JSON, error) bool) {
		defer f.Close()
		read := int64(0)
		for item, err := range items(f, a) {
			if read += int64(len(item)) + 1; progress != nil {
				progress(a.Name, read)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	})
	return &stream, nil
}

// items are the values in a file: a line each, or an array, whose elements they are.
func items(f io.Reader, a Argument) iter.Seq2[JSON, error] {
	return func(yield func(JSON, error) bool) {
		lines := bufio.NewReader(f)
		for n := 1; ; n++ {
			line, err := lines.ReadBytes('\n')
			if text := bytes.TrimSpace(line); len(text) > 0 {
				if !json.Valid(text) {
					yield(nil, fmt.Errorf("%s: line %d is not JSON: %q", a.Text, n, brief(text)))
					return
				}
				if !yield(text, nil) {
					return
				}
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, io.EOF) {
				yield(nil, fmt.Errorf("%s: %w", a.Text, err))
			}
			return
		}
	}
}
