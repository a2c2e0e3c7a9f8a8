// Package session is the engine of a connection: the protocol state shared by two peers,
// in bytes. It has calls and streams in both directions, the queue of outgoing frames,
// flow control and resumption. It has no Go values of the user, no codecs and no
// options: package rpc adds those.
//
// A Session holds the calls and streams in flight. It uses one transport at a time and
// may outlive it. To send a call, rpc begins it, appends the parameters and sends it:
// Begin, Request.Message, Request.Send. An answer is sent likewise, by BeginResult,
// Message and Send, and an item by SendStream.Next and Put. To receive a call, the
// reader looks its method up, makes the method's Served and passes that to a worker.
//
// A server's transport belongs to an Opening until its first frame has been read.
//
// Terms: a transport carries frames over one socket, a frame holds messages. A cut is
// the end of a transport that a session survives. Large means at least largeMessage
// bytes: such messages, items and parameters are not copied between buffers.
package session
