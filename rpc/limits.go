package rpc

import (
	"time"
)

// Limits bound what one connection may cost this side. The zero value of each
// field means its default; the defaults are safe on the open internet. In
// wirecall mode the peer is told the limits that concern it and keeps to them;
// a peer that does not is refused, or cut off where it goes on.
//
// A number above 2^30 counts as that, and a time above 2^31-1 ms. Those below zero,
// but for IdleTimeout's, and times below a millisecond are refused.
type Limits struct {
	// MessageBytes is the size of the largest message accepted, in bytes, and of the
	// largest POST body: 64 KiB at least, which every peer may send. The default is
	// 1 MiB. A frame that packs several messages is at most 32 KiB whatever this
	// says.
	MessageBytes int

	// Calls is how many calls of the peer run at once. A cancelled call counts
	// until its handler has returned. Over it a call is refused with
	// CodeLimitReached and has not run; in plain mode, where a peer cannot know the
	// limit, up to 1,024 calls wait for their turn first. The default is 256. However many a peer
	// takes, we have no more than 16,384 unanswered.
	Calls int

	// Streams is how many streams of the peer's may be open towards us at once,
	// and how many the answers to its calls may have open towards it. The
	// default is 256.
	Streams int

	// BufferedBytes is how many bytes received for the application may wait for it, ids
	// counted four times and metadata eight times, as the memory that they take:
	// parameters and metadata of calls that run, stream items that nobody has
	// taken, and answers of a batch that wait for its others; in plain mode queued
	// notifications as well. The default is 16 MiB, or MessageBytes twice where that is
	// more; it cannot be less than MessageBytes.
	BufferedBytes int

	// Notifications is how many notifications may wait for their handlers,
	// which run one after another, the running one included, and
	// NotificationBytes how many bytes they may have, as messages; if less than
	// half of those wait, one more of any size may come. A wirecall peer learns
	// both from hello, 64 and 64 KiB at least and 16,384 at most, and its
	// notifications wait under their contexts for what is handled here. A plain
	// peer that sends more is cut off. The defaults are 4,096 and 1 MiB: what twenty
	// seconds without a network bring at 200 a second.
	Notifications     int
	NotificationBytes int

	// BatchMessages is how many messages a JSON-RPC batch may have, in plain mode and
	// POST. A longer one is refused as a whole, and none of it runs. Of the others no
	// more than Calls run at once. The default is 1,000.
	BatchMessages int

	// BatchReplyBytes is how many bytes the answer to one batch may have. What does not
	// fit is answered with CodeTooLarge. The default is 4 MiB.
	BatchReplyBytes int

	// WindowItems is how many items of a stream may be on their way to us or waiting
	// here when it begins, and WindowBytes how many bytes; while less than half
	// of those are, one item of any size is let through. The defaults are 64 items and 64 KiB. A window
	// doubles when its reader starves because of it, up to sixteen times, but
	// never to more than 16,384 items.
	WindowItems int
	WindowBytes int

	// SendQueueBytes is how many bytes may wait to be written before calls,
	// notifications and stream items wait for room under their own contexts. What
	// cannot wait, such as refusals and credit, may take as much again; over that
	// the connection is cut. The default is 1 MiB, or MessageBytes where that is more.
	SendQueueBytes int

	// ReplayBytes is how many bytes of what was sent a session that can be resumed
	// keeps until the peer has acknowledged them. Where the peer lags behind
	// further than that, sending goes on, and the session cannot be resumed until
	// it has caught up: see State.Resumable. The default is 1 MiB.
	ReplayBytes int

	// HandshakeTimeout is how long a peer may take from being connected to its first
	// message in wirecall mode, and a dialed server to answer. The default is
	// 10 s.
	HandshakeTimeout time.Duration

	// IdleTimeout is how long a peer may be silent, answering not even pings, before
	// the connection is cut. A part of a message is a sign of life, or a slow
	// upload would be silence. One that has been silent for a third of it is
	// pinged. The default is 60 s; a negative value pings and cuts no one.
	IdleTimeout time.Duration

	// WriteTimeout is how long a write may go without the peer taking anything. On Linux,
	// over TCP, TLS and Unix sockets, a peer that reads at all is seen to. Elsewhere
	// it is the socket that has to take something, and where only the end of a write
	// can be seen, 16 KiB. The default is 30 s: there a peer that reads less than 560
	// bytes a second is cut.
	WriteTimeout time.Duration

	// LingerTimeout is how long notifications that were received before the peer's goodbye,
	// or before the end of a socket whose session cannot be resumed, may take to be
	// handled. Then the rest is dropped, which the log counts, and the contexts of
	// handlers end. Calls are cancelled at once. Server.Shutdown and ServeConn wait
	// for these notifications, Close drops them. The default is 5 s.
	LingerTimeout time.Duration
}

// withDefaults is l with every zero replaced.
func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.MessageBytes, 1<<20)
	def(&l.Calls, 256)
	def(&l.Streams, 256)
	def(&l.BufferedBytes, max(16<<20, 2*min(l.MessageBytes, mostNumber/2)))
	def(&l.Notifications, 4096)
	def(&l.NotificationBytes, 1<<20)
	def(&l.BatchMessages, 1000)
	def(&l.BatchReplyBytes, 4<<20)
	def(&l.WindowItems, 64)
	def(&l.WindowBytes, 64<<10)
	def(&l.SendQueueBytes, max(1<<20, l.MessageBytes))
	def(&l.ReplayBytes, 1<<20)
	for v, d := range map[*time.Duration]time.Duration{&l.HandshakeTimeout: 10 * time.Second, &l.IdleTimeout: time.Minute, &l.WriteTimeout: 30 * time.Second, &l.LingerTimeout: 5 * time.Second} {
		if *v == 0 {
			*v = d
		}
	}
	bound(&l)
	return l
}
