package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// logLines is how many lines a minute a session may cause in the log.
const logLines = 100

// A logLimit counts those lines.
type logLimit struct {
	mu      sync.Mutex
	since   time.Time
	lines   int // lines since then
	omitted int // lines omitted since the last one written
}

// admit reports whether one more line may be written, and how many were omitted before
// it.
func (l *logLimit) admit() (omitted int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.since) >= time.Minute {
		l.since, l.lines = now, 0
	}
	if l.lines == logLines {
		l.omitted++
		return 0, false
	}
	l.lines++
	omitted, l.omitted = l.omitted, 0
	return omitted, true
}

// Report logs a line that the peer has caused, unless there have been too many. It runs
// the user's slog.Handler, so that the reader must not call it.
func (s *Session) Report(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	if s.logLimit.Load() == nil {
		s.logLimit.CompareAndSwap(nil, new(logLimit))
	}
	omitted, ok := s.logLimit.Load().admit()
	if !ok {
		return
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	s.Log.LogAttrs(ctx, level, text, attrs...)
}

// maxQuoted is how many bytes of a peer's text are repeated in errors and in the log.
const maxQuoted = 500

// Brief returns text, or its beginning if it is too long to be repeated.
func Brief[T string | []byte](text T) string {
	if len(text) <= maxQuoted {
		return string(text)
	}
	n := maxQuoted
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return string(text[:n]) + "…"
}

// BriefError returns err, or an error with the beginning of its text. If err.Error
// panics it returns err, and the slog.Handler handles the panic.
func BriefError(err error) (short error) {
	defer func() {
		if recover() != nil {
			short = err
		}
	}()
	if text := err.Error(); len(text) > maxQuoted {
		return errors.New(Brief(text))
	}
	return err
}
