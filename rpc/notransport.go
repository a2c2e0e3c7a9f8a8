package rpc

import (
	"io"
	"net"
	"time"

	"github.com/wirecall/wirecall/internal/transport"
)

// noTransport is the transport of a session that has none.
type noTransport struct{}

func (noTransport) ReadFrame() ([]byte, error)                      { return nil, io.EOF }
func (noTransport) TakeBuffer(int) []byte                           { return nil }
func (noTransport) WriteFrame([]byte) error                         { return nil }
func (noTransport) Flush(bool) (bool, error)                        { return true, nil }
func (noTransport) Wrote() bool                                     { return true }
func (noTransport) Pending() bool                                   { return false }
func (noTransport) Progress() (int64, bool)                         { return 0, false }
func (noTransport) Ping(time.Duration) bool                         { return false }
func (noTransport) RemoteAddr() net.Addr                            { return nil }
func (noTransport) Bind(transport.Owner)                            {}
func (noTransport) CloseWrite() bool                                { return false }
func (noTransport) Discard()                                        {}
func (noTransport) CloseHandshake(transport.CloseCode, string) bool { return true }
func (noTransport) Close()                                          {}
func (noTransport) Err() error                                      { return nil }
