// Package rpc is the runtime of the code that wirecall generates: calls, notifications
// and streams in both directions over one connection, as JSON-RPC 2.0 on a WebSocket or
// on lines of text.
//
// A user writes an interface and generates a client and a service for it; see the
// README. The client makes its calls through a Caller, such as a Conn, and the service
// is registered with a Server. What only generated code calls is in package gen1.
//
//	srv := rpc.NewServer(nil)
//	srv.Register(chat.RoomService(room))
//	http.Handle("/rpc", srv)
//
//	conn, err := rpc.Dial(ctx, "ws://localhost:8080/rpc", nil)
//	room := chat.NewRoomClient(conn)
//
// PROTOCOL.md in this folder specifies the messages on the wire.
//
// # Streams
//
// A stream is an iter.Seq2[T, error]. It may be a parameter or a result of a method,
// beside ordinary values.
//
//   - The call is made when the method is called. It returns when the other side has
//     accepted or refused it; a refusal is the call's error. If the call fails, its
//     result streams yield the same error, so that code which checks only one of the
//     two finds it.
//   - An error is the last thing that a stream yields. Items sent before it are
//     delivered before it.
//   - Leaving the loop in any way ends the stream on the wire at once. The producer's
//     next yield returns false. The context of a handler ends when the last result
//     stream of its call has ended.
//   - A stream ends with an error if its connection ends. If its method declares a
//     cursor, by a wirecall:cursor directive, a generated client continues after the
//     last item that was delivered as soon as its Caller reaches a server again; see
//     gen1.Cursor.
//   - The caller's context governs the streams of its call: when it ends, buffered
//     items are dropped and the range yields the cause.
//   - A stream can be ranged over once; a second range yields ErrStreamUsed. A stream
//     that is never ranged over lives until its context ends. The garbage collector
//     ends it too, at some later time; rely on the context.
//   - A producer's iterator starts at once, on a goroutine of the runtime, and runs
//     ahead of its reader by at most a window. It may still run when the call has
//     returned, as the body of a net/http request may still be read. An item has been
//     encoded when its yield returns, and may then be changed.
//   - A producer that waits for something other than yield can wait for the context of
//     its call as well. In a handler that context ends with the last result stream of
//     the call. On the caller's side it does not end if only the callee has left the
//     stream: give such a call a context of its own, and cancel it when the call has
//     returned.
//   - A service opens and closes what its iterator needs inside the iterator: a defer
//     around it runs when the method returns, before the first item. An iterator that a
//     method has returned is always entered once, even if the stream has already ended;
//     then its first yield returns false.
//   - The streams of one call may be read in any order. A producer that feeds two
//     streams from one goroutine can block itself: it waits while one of them is not
//     read.
//   - A slow consumer delays only its own producer. Credit bounds what is on its way:
//     64 items and 64 KiB at first, and up to sixteen times as much if the reader would
//     otherwise wait for the network.
//
// The names of parameters, and of results if there are several, are names on the wire
// and are matched exactly. To rename one, or to add a second result to a method that
// has one, breaks peers that were built before. To add a parameter does not: old peers
// leave it zero.
//
// # Errors
//
// The message of an error that a handler returns is sent to the caller. A Code or an
// *Error keeps its code and its data. An error that the method declares, with the
// directive wirecall:error, is found by errors.As, and the errors of package context by
// errors.Is. A panic is sent as "internal error", and logged with its stack. A call that
// fails returns no other result, except that its streams yield the error too.
//
// If the caller's own context has ended, the error is context.Cause of it. A call that
// is in flight when the connection is lost fails with CodeUnavailable or
// CodeSessionLost; NotRun reports whether it certainly has not run.
//
// # Reconnection
//
// A Conn that Dial made connects again when its socket is lost. If both sides keep
// sessions (ServerOptions.Sessions, DialOptions.Resume), everything that is in flight in
// either direction continues over the new socket, exactly once. Otherwise, and if the
// server no longer has the session, it fails, and the connection continues with a new
// session; calls that certainly have not run, and idempotent ones, are repeated there.
// Calls made while there is no socket wait for one. A server that shuts down asks its
// clients to connect elsewhere. They do so at random times within
// Reconnect.DrainSpread, and none of their calls is lost.
//
// # Goroutines
//
// The runtime starts these goroutines and no others.
//
//	goroutine        one for each            may block on                      ends when
//	reader           socket                  the socket; at its beginning,     the socket closes, or a second
//	                                         an older one's reader and         after a goodbye
//	                                         flusher, which has been closed
//	dialer           dialed connection       the dial, the handshake, a        there is a socket, or the
//	                 without a socket, or    delay                             connection has ended
//	                 on its way to another
//	                 server
//	flusher          connection, while       the socket                        the send queue is empty
//	                 there is something
//	                 to write
//	worker           call that is served,    the user's handler, room for      it has had no call for about
//	                 reused for the next     its answer                        a second
//	notifications    connection, while       a notification's handler          its queue is empty; Limits.LingerTimeout
//	                 one is queued                                             behind the end, if its handler
//	                                                                           looks at its context
//	pump             stream that this side   the user's iterator, credit,      the iterator returns
//	                 produces                room
//	cleanup          stream that is not      the user's iterator, whose        the iterator returns
//	                 sent, or is unwanted    yields return false
//	context callback end of a call's         nothing                           at once
//	                 context with streams,
//	                 or that waits for a
//	                 notification
//	closer           session that this side  the last flush and the closing    closeGrace, a second, is over
//	                 ends                    handshake
//	housekeeping     timer, while it fires:  a WebSocket pong, in plain mode;  at once, or within a second
//	                 pings, acks, windows,   the user's slog.Handler
//	                 calls that have waited
//	                 for a notification,
//	                 notifications behind
//	                 the end, credentials
//	                 that expire
//	pipe, two        socket of a session     the socket or the link to that    one of the two ends
//	                 at another node         node
//	renewal          $/auth of the server    the user's Token, the server      within HandshakeTimeout
//	remover          WebSocket that is cut   coder/websocket, for our reader   the reader has gone
//	log              log line of a reader    the user's slog.Handler           at once
//	observer         dialed connection       the user's Observer.State         the connection ends
//	                 with an observer of
//	                 its states
//	acceptor         connection of Serve     is the reader of its socket       the reader does
//
// ToChan starts one more, which ends with its stream or its context.
//
// A call that is made has no goroutine of its own: its caller waits for the answer. The
// caller also writes the message, as far as the socket takes it at once; the flusher
// writes the rest. So a peer that does not read cannot hold a caller beyond the end of
// its context.
package rpc
