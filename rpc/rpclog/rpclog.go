// Package rpclog logs what happens on connections, for people: which connection, which
// method, how long it took, and why it failed.
//
//	srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{rpclog.NewObserver(nil)}})
//
// The records are:
//
//	Info   session begins, session ends             duration, why it ended
//	Info   socket lost, session resumed             why, and how long there was no socket
//	Warn   cannot connect                           why, and in how long the next attempt is; of dialed connections
//	Error  credentials refused                      why; of dialed connections
//	Info   connection closed                        why; of dialed connections without a session
//	Debug  call answered, stream ended              method, duration
//	Info   call failed                              through its caller, such as invalid params, or with an error of the application
//	Warn   call failed, stream failed               method, duration, code, why
//	Error  call panicked                            the value of the panic; its stack goes to the Logger of the options
//
// Those of a session, and of a call that is served, have the number of the connection
// (conn), counted by the observer, and the address of the peer. The call that a client
// makes does not say over which connection: a program that dials several servers gives
// each an observer whose logger has the server's name, by Logger.With.
//
// A peer can cause a record at level Info for each of its calls. Text of more than 300
// bytes is cut.
package rpclog

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// NewObserver returns an observer that logs to log, or to slog.Default() if log is nil.
// It may be shared by any number of servers and connections.
func NewObserver(log *slog.Logger) *rpc.Observer {
	if log == nil {
		log = slog.Default()
	}
	o := &observer{log: log, open: make(map[*rpc.Conn]*connection)}
	return &rpc.Observer{Conn: o.session, State: o.state, Call: o.call, Stream: o.stream}
}

// session implements rpc.Observer.Conn.
func (o *observer) session(ctx context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
	start := time.Now()
	log := o.log.With(o.begin(conn)...)
	log.InfoContext(ctx, "session begins")
	return func(cause error) {
		o.end(conn)
		log.InfoContext(ctx, "session ends", "duration", time.Since(start), why(cause))
	}
}

// call implements rpc.Observer.Call.
func (o *observer) call(ctx context.Context, c *rpc.Call) (context.Context, func(rpc.CallResult)) {
	start := time.Now()
	return ctx, func(r rpc.CallResult) {
		level, message := severity(r)
		if !o.log.Enabled(ctx, level) {
			return
		}
		attrs := append(o.of(ctx, c), slog.Duration("duration", time.Since(start)))
		if r.Err != nil {
			attrs = append(attrs, code(r.Err), why(r.Err), slog.Bool("ran", r.Ran))
		}
		if r.Panic != nil {
			attrs = append(attrs, slog.String("panic", brief(fmt.Sprint(r.Panic))))
		}
		o.log.LogAttrs(ctx, level, message, attrs...)
	}
}

// of returns the attributes of a call: the connection that it came over, and its method.
func (o *observer) of(ctx context.Context, c *rpc.Call) []slog.Attr {
	method := slog.String("method", brief(c.Method.Name))
	if conn, ok := rpc.ConnFromContext(ctx); ok && c.Served {
		return append(o.known(conn), method)
	}
	return []slog.Attr{method}
}

// severity returns the level and the message of a call's record.
func severity(r rpc.CallResult) (slog.Level, string) {
	if r.Panic != nil {
		return slog.LevelError, "call panicked"
	}
	if r.Err == nil {
		return slog.LevelDebug, "call answered"
	}
	switch code := rpc.CodeOf(r.Err); code {
	case rpc.CodeMethodNotFound, rpc.CodeInvalidParams, rpc.CodeInvalidRequest, rpc.CodeCanceled, rpc.CodeUnauthenticated, rpc.CodePermissionDenied, rpc.CodeComeAgain:
		return slog.LevelInfo, "call failed"
	default:
		if code > 0 {
			return slog.LevelInfo, "call failed"
		}
		return slog.LevelWarn, "call failed"
	}
}

// stream implements rpc.Observer.Stream.
func (o *observer) stream(ctx context.Context, s *rpc.StreamInfo) (func(n, bytes int), func(rpc.StreamResult)) {
	start := time.Now()
	return nil, func(r rpc.StreamResult) {
		level, message := slog.LevelDebug, "stream ended"
		if c := rpc.CodeOf(r.Err); r.Err != nil && c != rpc.CodeCanceled && c != rpc.CodeComeAgain {
			level, message = slog.LevelWarn, "stream failed"
		}
		if !o.log.Enabled(ctx, level) {
			return
		}
		attrs := append(o.of(ctx, s.Call), slog.String("stream", s.Name), slog.Duration("duration", time.Since(start)),
			slog.Int64("items", r.Items), slog.Int64("bytes", r.Bytes), slog.Duration("blocked", r.Blocked))
		if r.Err != nil {
			attrs = append(attrs, code(r.Err), why(r.Err))
		}
		o.log.LogAttrs(ctx, level, message, attrs...)
	}
}

// code returns the code of an error in words.
func code(err error) slog.Attr { return slog.String("code", rpc.CodeOf(err).String()) }

// why returns the text of an error.
func why(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("why", brief(err.Error()))
}

// brief returns text of at most 300 bytes, and an ellipsis for the rest.
func brief(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
