package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/wirecall/wirecall/internal/buffers"
)

// The framing of the Language Server Protocol 3.17, "Base Protocol": a header part of
// fields as HTTP has them, each ended by CR LF, an empty line, and as many bytes of
// content as the field Content-Length says. Content-Type may name the charset, which
// must be UTF-8. Fields of other names are skipped.

// maxHeader is how many bytes a header part may have.
const maxHeader = 4 << 10

const (
	contentLength = "Content-Length"
	contentType   = "Content-Type"
)

// appendWithHeader appends a frame behind its header part.
func appendWithHeader(dst, frame []byte) []byte {
	dst = buffers.Grow(dst, len(contentLength)+26+len(frame)) // ": ", 20 digits, twice CR LF
	dst = append(dst, contentLength+": "...)
	dst = strconv.AppendInt(dst, int64(len(frame)), 10)
	return append(append(dst, "\r\n\r\n"...), frame...)
}

// readAfterHeader is ReadFrame for Headers.
func (f *Framed) readAfterHeader() ([]byte, error) {
	size, err := f.readHeader()
	if err != nil {
		return nil, err
	}
	content, err := f.readContent(size)
	switch err {
	case nil:
		return content, nil
	case io.EOF:
		return nil, truncated(fmt.Sprintf("after %d of %d bytes of content", len(content), size))
	}
	return nil, err
}

// truncated returns the error of a stream that ends within a frame.
func truncated(where string) error {
	return fmt.Errorf("the stream ends %s: %w", where, io.ErrUnexpectedEOF)
}

// readHeader reads a header part and returns the length of the content. The error is
// io.EOF if the stream ends before the header.
func (f *Framed) readHeader() (int, error) {
	var h header
	for room := maxHeader; ; {
		line, err := f.br.ReadSlice('\n')
		if room -= len(line); err == bufio.ErrBufferFull || room < 0 {
			return 0, FrameError{Message: fmt.Sprintf("a header is over %d bytes", maxHeader)}
		}
		switch {
		case err == io.EOF && room < maxHeader:
			return 0, truncated("within a header")
		case err != nil:
			return 0, err
		}
		field, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok {
			return 0, FrameError{Message: "a header line ends in LF: want CR LF"}
		}
		if len(field) == 0 {
			return h.size(f.maxFrame)
		}
		if err := h.add(field); err != nil {
			return 0, FrameError{Message: err.Error()}
		}
	}
}

// readContent reads n bytes. What it returns with an error is what it has read. A
// buffer grows with the bytes that have come, whatever the header has promised.
func (f *Framed) readContent(n int) ([]byte, error) {
	if n <= f.br.Size() {
		content, err := f.br.Peek(n)
		f.br.Discard(len(content))
		return content, err
	}
	for len(f.long) < n {
		f.long = slices.Grow(f.long, min(n-len(f.long), max(len(f.long), f.br.Size())))
		k, err := f.br.Read(f.long[len(f.long):min(n, cap(f.long))])
		if f.long = f.long[:len(f.long)+k]; err != nil {
			return f.long, err
		}
	}
	return f.long, nil
}

// A header is the fields of a header part that decide what follows it.
type header struct {
	length   uint64 // Content-Length
	measured bool   // whether there is one
	typed    bool   // whether there is a Content-Type
}

// add adds a field.
func (h *header) add(field []byte) error {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, notToken) {
		return fmt.Errorf("a header line is %.40q: want a name and a colon", field)
	}
	value = bytes.TrimSpace(value)
	switch {
	case strings.EqualFold(string(name), contentLength):
		return h.setLength(string(value))
	case strings.EqualFold(string(name), contentType):
		return h.setType(string(value))
	}
	return nil
}

// notToken reports whether r cannot be in the name of a field: RFC 9110, section 5.6.2.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func (h *header) setLength(value string) error {
	if h.measured {
		return errors.New("a header has " + contentLength + " twice")
	}
	n, err := strconv.ParseUint(value, 10, 63) // the largest if it is out of range
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is %.40q: want a number of bytes", contentLength, value)
	}
	h.length, h.measured = n, true
	return nil
}

// setType checks a Content-Type, whose media type may be any. "utf8" is what earlier
// versions of the Language Server Protocol wrote.
func (h *header) setType(value string) error {
	if h.typed {
		return errors.New("a header has " + contentType + " twice")
	}
	h.typed = true
	_, params, err := mime.ParseMediaType(value)
	if err != nil {
		return fmt.Errorf("%s is %.40q: want a media type", contentType, value)
	}
	switch charset := params["charset"]; strings.ToLower(charset) {
	case "", "utf-8", "utf8":
		return nil
	default:
		return fmt.Errorf("the charset is %.40q: want utf-8", charset)
	}
}

// size returns the length of the content, or an error if it is absent or over limit.
func (h *header) size(limit int) (int, error) {
	switch {
	case !h.measured:
		return 0, FrameError{Message: "a header has no " + contentLength}
	case h.length > uint64(limit):
		return 0, FrameError{TooLarge: true, Message: fmt.Sprintf("a message of %d bytes is over the limit of %d", h.length, limit)}
	}
	return int(h.length), nil
}
