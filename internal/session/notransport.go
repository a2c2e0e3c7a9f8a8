package session

import (
	"io"
	"net"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// NoTransport is the transport of a session without one.
type NoTransport struct{}

func (NoTransport) ReadFrame() ([]byte, error)                      { return nil, io.EOF }
func (NoTransport) TakeBuffer(int) []byte                           { return nil }
func (NoTransport) WriteFrame([]byte) error                         { return nil }
func (NoTransport) Flush(bool) (bool, error)                        { return true, nil }
func (NoTransport) Wrote() bool                                     { return true }
func (NoTransport) Pending() bool                                   { return false }
func (NoTransport) Progress() (int64, bool)                         { return 0, false }
func (NoTransport) Ping(time.Duration) bool                         { return false }
func (NoTransport) RemoteAddr() net.Addr                            { return nil }
func (NoTransport) Bind(transport.Owner)                            {}
func (NoTransport) CloseWrite() bool                                { return false }
func (NoTransport) Discard()                                        {}
func (NoTransport) CloseHandshake(transport.CloseCode, string) bool { return true }
func (NoTransport) Close()                                          {}
func (NoTransport) Err() error                                      { return nil }
