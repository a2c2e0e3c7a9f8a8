// Package session is the engine of a connection: the protocol state that one peer
// shares with another, in bytes. It knows calls and streams in both directions, the
// queue of outgoing frames, flow control and resumption, but no Go value of a user's, no
// codec and no options. Package rpc gives it those.
//
// A Session holds the calls and streams in flight and uses one transport at a time,
// which it may outlive. On the way out a call is begun, its parameters are appended and
// it is sent: Begin, Request.Message, Request.Send; an answer likewise: BeginResult,
// Answer.Message, Answer.Send; an item is appended to what SendStream.Next returns and
// handed to Put. On the way in the reader looks a method up and gives what the method
// makes of a call to a worker.
//
// A server's transport begins as an Opening, until its first frame has been read.
package session
