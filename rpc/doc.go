// Package rpc is the runtime under the code that wirecall generates: calls,
// notifications and streams in both directions over one connection, as JSON-RPC
// 2.0 on a WebSocket or on lines of text.
//
// A user writes an interface and generates a client and a service for it; see
// the README. What that code needs from here is small: a Caller to call
// through, a Service to register. What nobody else calls is in package gen1.
//
//	srv := rpc.NewServer(nil)
//	srv.Register(chat.RoomService(room))
//	http.Handle("/rpc", srv)
//
//	conn, err := rpc.Dial(ctx, "ws://localhost:8080/rpc", nil)
//	room := chat.NewRoomClient(conn)
//
// PROTOCOL.md in this folder says what travels.
//
// # Streams
//
// A stream is an iter.Seq2[T, error], as a parameter, a result, or both, beside
// ordinary values if wanted.
//
//   - The call happens when the method is called. It returns when the other side
//     has accepted, or refused, as its error. Where it fails its result streams
//     yield that error too, so that code which ignores one sees the other.
//   - An error is the last thing that a stream yields. Items sent before it are
//     delivered before it.
//   - Leaving the loop in any way ends the stream on the wire at once. The
//     producer's code ends at its next yield, which returns false. Its context
//     ends when the last result stream of the call has ended.
//   - A stream ends with its connection, with an error. Where its method declares
//     a cursor, by a wirecall:cursor directive, a generated client goes on behind
//     the last item that was delivered as soon as its Caller reaches a server
//     again; see gen1.Cursor.
//   - The caller's context governs the streams of its call: when it ends, what is
//     buffered is dropped and the range yields the cause.
//   - A stream can be ranged over once; a second range yields ErrStreamUsed. One
//     that is never ranged over lives until its context ends. The garbage
//     collector finds it some time later; rely on the context.
//   - A producer's iterator runs on a goroutine of the runtime, at once, up to a
//     window ahead of its reader, and may still be inside the user's code when
//     the call has returned, as net/http's request body may. An item is encoded
//     when its yield returns, and may then be changed.
//   - A producer that waits for something else than yield hears of the end of its
//     stream by the context of its call: in a handler that context has ended by
//     then. A caller's has not, when only its callee has had enough: give such a
//     call a context of its own, and cancel it when the call has returned.
//   - A service opens and closes what its iterator needs inside the iterator:
//     a defer around it runs when the method returns, before the first item. An
//     iterator that a method has returned is always entered once, also when
//     nobody wants it any more; then its first yield returns false.
//   - The streams of one call may be read in any order. A producer that feeds two
//     of them from one goroutine can stall itself: while one is not read, it
//     waits there.
//   - One slow consumer holds up nothing but its own producer. Credit bounds what
//     is on its way: 64 items and 64 KiB at first, and up to sixteen times of
//     both where the reader starves for it.
//
// Names of parameters and of several results are names on the wire, matched
// exactly. Renaming one, or giving a second result to a method that had one,
// breaks peers that were built before; adding a parameter does not, and old
// peers leave it zero.
//
// # Errors
//
// An error that a handler returns crosses with its message. A Code or an *Error
// keeps its code and its data. One that the method declares, by a wirecall:error
// directive, is found by errors.As again. The errors of package context are found
// by errors.Is. A panic crosses as "internal error", and goes
// to the logger with its stack. Beside an error no other result crosses, but a
// stream's: it yields the error too.
//
// A caller whose own context has ended gets context.Cause of it. A call that was
// under way when the connection was lost fails with CodeUnavailable, or with
// CodeSessionLost; NotRun tells whether it has surely not been executed.
//
// # Reconnection
//
// A Conn that Dial has made connects again when its socket is lost. What is in
// flight in both directions is a session's. Where both sides keep sessions
// (ServerOptions.Sessions, DialOptions.Resume) it goes on over the new socket,
// exactly once; otherwise, and where the server does not know the session any
// more, it has failed, and the connection goes on with a new session. Calls that
// have surely not run, and idempotent ones, are then made again. Calls made while
// there is no socket wait for one. A server that shuts down asks its clients to
// go elsewhere: they connect again by and by, and no call of theirs is lost.
//
// # Goroutines
//
// These are all that the runtime starts.
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
//	pump             produced stream         the user's iterator, credit,      the iterator returns
//	                                         room
//	cleanup          produced stream that    the user's iterator, whose        the iterator returns
//	                 nobody wants            yields return false
//	context callback end of a call's         nothing                           at once
//	                 context with streams,
//	                 or that waits for a
//	                 notification
//	closer           session that we         the last flush and the closing    closeGrace, a second, is over
//	                 end                     handshake
//	housekeeping     timer, while it fires:  a WebSocket pong, in plain mode;  at once, or within a second
//	                 pings, acks, windows,   the user's slog.Handler
//	                 calls that have waited
//	                 for a notification,
//	                 notifications behind
//	                 the end, credentials
//	                 that expire
//	remover          WebSocket that is cut   coder/websocket, for our reader   the reader has gone
//	log              line that the reader    the user's slog.Handler           at once
//	                 would have to write
//	observer         dialed connection       the user's Observer.State         the connection ends
//	                 with an observer of
//	                 its states
//	acceptor         connection of Serve     is the reader of its socket       the reader does
//
// ToChan starts one as well, which ends with its stream or its context.
//
// A call that is made has no goroutine of its own: its caller waits. Its caller
// also writes, as long as the socket takes what there is at once; the rest is
// the flusher's. So no caller outlives its context because a peer does not read.
package rpc
