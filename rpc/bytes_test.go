package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// overWire returns what a consumer gets of a stream that a service returns.
func overWire(t *testing.T, seq iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] {
	t.Helper()
	conn := rpctest.Connect(t.Context(), t, streamMethod("Test.Bytes", func(context.Context) gen1.Stream { return gen1.Send(seq) }))
	var s gen1.Stream
	if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Bytes"), Result: &s}); err != nil {
		t.Fatal(err)
	}
	return gen1.Receive[[]byte](s)
}

// Bytes arrive as they were, whatever pieces they come and are taken in, and so does
// the error behind them.
func TestByteStreams(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 20_000)
	broken := errors.New("broken")
	producers := map[string]func(end error) iter.Seq2[[]byte, error]{
		"FromReader": func(end error) iter.Seq2[[]byte, error] {
			r := io.Reader(bytes.NewReader(data))
			if end != nil {
				r = io.MultiReader(r, iotest.ErrReader(end))
			}
			return rpc.FromReader(iotest.DataErrReader(r))
		},
		"FromWriter": func(end error) iter.Seq2[[]byte, error] {
			return rpc.FromWriter(func(w io.Writer) error {
				n, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(data[:70_000])})
				if err == nil {
					_, err = w.Write(data[n:])
				}
				if err != nil {
					return err
				}
				return end
			})
		},
	}
	consumers := map[string]func(iter.Seq2[[]byte, error]) ([]byte, error){
		"ToReader": func(seq iter.Seq2[[]byte, error]) ([]byte, error) {
			r := rpc.ToReader(seq)
			defer r.Close()
			return io.ReadAll(iotest.HalfReader(r))
		},
		"CopyTo": func(seq iter.Seq2[[]byte, error]) ([]byte, error) {
			var b bytes.Buffer
			n, err := rpc.CopyTo(&b, seq)
			if int(n) != b.Len() {
				t.Errorf("CopyTo says %d of %d", n, b.Len())
			}
			return b.Bytes(), err
		},
	}
	for from, produce := range producers {
		for into, consume := range consumers {
			for _, end := range []error{nil, broken} {
				got, err := consume(overWire(t, produce(end)))
				if !bytes.Equal(got, data) {
					t.Errorf("%s, %s: %d bytes", from, into, len(got))
				}
				if end == nil && err != nil || end != nil && (err == nil || err.Error() != "broken") {
					t.Errorf("%s, %s: %v, want %v", from, into, err, end)
				}
			}
		}
	}
}

// A consumer that leaves ends the producer, whose Write says so.
func TestByteStreamLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrote := make(chan error, 1)
		r := rpc.ToReader(overWire(t, rpc.FromWriter(func(w io.Writer) error {
			for {
				if _, err := io.WriteString(w, "x"); err != nil {
					wrote <- err
					return err
				}
			}
		})))
		if n, err := r.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		r.Close()
		if err := <-wrote; err != io.ErrClosedPipe {
			t.Error(err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.ErrClosedPipe {
			t.Errorf("after Close: %d, %v", n, err)
		}
	})
}

// CopyTo ends the stream when it cannot write.
func TestCopyToFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		n, err := rpc.CopyTo(writerFunc(func(p []byte) (int, error) { return 3, full }), overWire(t, rpc.FromReader(strings.NewReader("12345"))))
		if n != 3 || err != full {
			t.Errorf("%d, %v", n, err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
