package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// logLines is how many lines a minute a connection may have written to the log.
const logLines = 100

// logged counts them.
type logLimit struct {
	mu      sync.Mutex
	since   time.Time
	lines   int // since then
	omitted int // since the last that was written
}

// admit reports whether one more line may be written, and how many were left out
// before it.
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

// report writes a line that the peer has caused, unless there have been too many. It
// runs the user's slog.Handler, and so not on the reader.
func (s *Session) Report(ctx context.Context, level slog.Level, text string, attrs ...slog.Attr) {
	omitted, ok := s.logLimit.admit()
	if !ok {
		return
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	s.Log.LogAttrs(ctx, level, text, attrs...)
}

// quoted is how much of what a peer has said is repeated, to it or to the log.
const maxQuoted = 500

// brief is the beginning of text that has no end.
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

// briefError is err, or the beginning of what it says. Where its own code panics
// that is left to the slog.Handler.
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
