package rpc

import (
	"io"
	"iter"
)

// pieceSize is the size in bytes of the items of byte streams: small enough to be a
// message beside others, and large enough that a message costs little for each byte.
const pieceSize = 32 << 10

// FromReader returns a stream of the bytes of r, in items of at most 32 KiB, until
// io.EOF. Any other error of r ends the stream. The items share a buffer: each is valid
// until the next. r is not closed; close it in an iterator that wraps this one.
//
// After a call has failed, the stream may still read for a moment: another attempt
// needs a reader of its own, such as an io.SectionReader of the same file.
func FromReader(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		buf := make([]byte, pieceSize)
		for {
			n, err := r.Read(buf)
			if n > 0 && !yield(buf[:n:n], nil) {
				return
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// FromWriter returns a stream of the bytes that write writes. Each Write sends one
// item, or several if it has more than 32 KiB, and returns when the consumer has credit
// for another. An error of write ends the stream. After the consumer has left the
// stream, Write fails with io.ErrClosedPipe. The writer may be used only on the
// goroutine that write is called on, until write returns.
func FromWriter(write func(io.Writer) error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := &yieldWriter{yield: yield}
		if err := write(w); err != nil && !w.left {
			yield(nil, err)
		}
	}
}

// A yieldWriter is an io.Writer that yields what is written as items of a stream.
type yieldWriter struct {
	yield func([]byte, error) bool
	left  bool
}

func (w *yieldWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		to := min(n+pieceSize, len(p))
		if w.left || !w.yield(p[n:to:to], nil) {
			w.left = true
			return n, io.ErrClosedPipe
		}
		n = to
	}
	return n, nil
}

// ToReader returns a reader of the bytes that seq yields. Read returns io.EOF after a
// complete stream, and otherwise the error that ended seq. Close ends the stream and
// must be called in any case; Read then fails with io.ErrClosedPipe. Read and Close
// must not be called at the same time: to end a Read that waits, end the context of
// seq's call.
func ToReader(seq iter.Seq2[[]byte, error]) io.ReadCloser {
	next, stop := iter.Pull2(seq)
	return &pullReader{next: next, stop: stop}
}

// A pullReader is an io.ReadCloser over the items of a stream.
type pullReader struct {
	next func() ([]byte, error, bool)
	stop func()
	rest []byte
	err  error // what Read returns after rest
}

func (r *pullReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil && len(p) > 0 {
		item, err, ok := r.next()
		if !ok {
			err = io.EOF
		}
		r.rest, r.err = item, err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if n == 0 && len(p) > 0 {
		return 0, r.err
	}
	return n, nil
}

func (r *pullReader) Close() error {
	r.stop()
	r.rest, r.err = nil, io.ErrClosedPipe
	return nil
}

// CopyTo writes the items of seq to w. It returns the number of bytes written, and the
// error of w or the error that ended seq.
func CopyTo(w io.Writer, seq iter.Seq2[[]byte, error]) (n int64, err error) {
	for item, err := range seq {
		if err != nil {
			return n, err
		}
		written, err := w.Write(item)
		n += int64(written)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
