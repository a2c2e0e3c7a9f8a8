package session

import (
	"time"

	"github.com/wirecall/wirecall/internal/flow"
)

const (
	CloseGrace      = time.Second // for a last flush and the closing handshake
	FrameSize       = 32 << 10    // of a frame with several messages, at most
	streamItemsSize = 16 << 10    // encoded items of one stream that wait for a frame
	ItemsSize       = 64 << 10    // encoded items of all streams that wait
	subscribeWait   = 5 * time.Second
)

// Limits bound the cost of a session: rpc.Limits, which documents them, with every
// default filled in.
type Limits struct {
	MessageBytes      int
	Calls             int
	Streams           int
	BufferedBytes     int
	Notifications     int
	NotificationBytes int
	BatchMessages     int
	BatchReplyBytes   int
	WindowItems       int
	WindowBytes       int
	SubscriptionItems int
	SendQueueBytes    int
	ReplayBytes       int
	HandshakeTimeout  time.Duration
	IdleTimeout       time.Duration
	WriteTimeout      time.Duration
	LingerTimeout     time.Duration
}

// notifications returns the limits of notifications within the bounds that the protocol
// sets.
func (l Limits) notifications() (items, bytes int) {
	return min(max(l.Notifications, flow.InitialItems), flow.MaxItems), max(l.NotificationBytes, flow.InitialBytes)
}
