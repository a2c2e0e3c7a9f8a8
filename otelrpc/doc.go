// Package otelrpc records the calls, streams and sessions of package rpc with
// OpenTelemetry: spans that are linked across connections, and metrics.
//
//	observer := otelrpc.NewObserver(nil)
//	srv := rpc.NewServer(&rpc.ServerOptions{Observers: []*rpc.Observer{observer}})
//	conn, err := rpc.Dial(ctx, url, &rpc.DialOptions{Observers: []*rpc.Observer{observer}})
//
// It is a module of its own, so that programs which do not import it do not depend on
// OpenTelemetry.
//
// # Spans
//
// Each call has a span on the side that makes it (client) and one on the side that
// serves it (server), named after the method. The trace context crosses as metadata
// with the names of W3C Trace Context, also with calls that a server makes to its
// client. A call that carries no trace context begins a trace, or, in a POST, belongs to
// that of the HTTP request. Metadata does not cross in plain mode: there the two sides have
// traces of their own, and around POST the instrumentation of net/http can join them.
//
// A call's span ends when the call has been answered. Each of its streams has a span of
// its own on either side, which ends with the stream, under the span of the call. This
// is where the package departs from the conventions, by which the span of a call would
// last as long as its streams, and its duration would say nothing of the call.
//
// # Metrics
//
// Calls are recorded by the semantic conventions for RPC and JSON-RPC, version 1.45.0;
// the other metrics are wirecall's own:
//
//	rpc.server.call.duration    histogram, s       calls that this side served
//	rpc.client.call.duration    histogram, s       calls that this side made
//	wirecall.stream.duration    histogram, s       streams that have ended
//	wirecall.stream.items       counter, items     as they are sent and received
//	wirecall.stream.io          counter, bytes     their encoded size
//	wirecall.stream.blocked     counter, s         a sender's wait for credit, a receiver's for items; at the end
//	wirecall.session.duration   histogram, s       sessions that have ended
//	wirecall.session.cuts       counter, cuts      sessions that lost their socket and were kept
//	wirecall.session.resumes    counter, resumes   how those cuts ended
//	wirecall.sessions           sessions           now
//	wirecall.connections        connections        now, by state
//	wirecall.calls              calls              now, that are not answered
//	wirecall.streams            streams            now, that have not ended
//	wirecall.queue.size         bytes              now, that wait to be written
//	wirecall.buffer.size        bytes              now, received, that wait for the application
//	wirecall.replay.size        bytes              now, sent and not acknowledged
//
// Durations count the events as well. The attributes are:
//
//	rpc.system.name             jsonrpc
//	rpc.method                  the name on the wire, or _OTHER; see Options.Methods
//	rpc.status_code             the code of an error, as a number; absent if there is none
//	error.type                  the same; for sessions a WebSocket close code, EOF, a code, or _OTHER
//	wirecall.stream.name        the parameter or the result, if the stream has a name
//	wirecall.stream.end         complete, left by the consumer, continued (in another call), or failed
//	network.io.direction        transmit for streams that this side sends, and receive
//	wirecall.side               client for calls that this side makes, and server
//	wirecall.connection.state   connecting, connected, detached or refused
//	wirecall.resume.outcome     resumed, or lost: the session ended without a socket
//
// A connection is counted from its first session until it has ended. The state of a
// dialed connection is watched, and a cut that is over before the watcher has seen it
// is not counted there; it is always counted on the other side.
package otelrpc
